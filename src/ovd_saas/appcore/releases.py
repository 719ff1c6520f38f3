"""Releases: submit a pushed folder, put a ready one to use. Floor 2: may use store, files, engines, domain."""

import tarfile
import tomllib
import zlib
from datetime import datetime
from typing import Any, BinaryIO

from django.db import transaction

from ovd.problems import Problem
from ovd.schema import FieldError
from ovd.tars import Entry
from ovd_saas.appcore import applications, editions, loose_files, release_archives
from ovd_saas.appcore.dispatch_told import printable
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import outlook, status
from ovd_saas.domain import releases as states
from ovd_saas.files import store as files
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Organisation, Release

LARGEST_MANIFEST = 1 << 20  # bytes
LARGEST_UNPACKED = 2 << 30  # bytes, as at the runner
MOST_ENTRIES = 20_000  # likewise
LARGEST_DESCRIPTION = 200_000  # bytes


class BadArchive(Refusal):
    """The archive cannot be a release; each error names what is wrong."""

    code = "bad_archive"
    http = 422


class Unready(Refusal):
    """Only a ready release can be put to use."""

    code = "release_not_ready"


def submit(
    *, organisation: Organisation, name: str | None, digest: str, size: int, by: str, by_id: int | None, now: datetime
) -> Release:
    """Afterwards a release is `building`, of an application that is made when it is new, and AppCore has been told.

    `digest` names the tar.gz in the file store, `size` its bytes. `name` must agree with the manifest; None takes it
    from there. A retired application takes no releases. Raises BadArchive, applications.BadName, Unready.
    """
    try:
        with files.open(digest) as archive:
            manifest = read_manifest(archive)
        declared = _declared_name(manifest, name)
        return _submit(organisation, declared, manifest, digest, size, by, by_id, now)
    except Refusal:
        loose_files.let_go([digest], now=now)
        raise


class BadManifest(Refusal):
    """A manifest that `ovd check` would not take; each problem has a line."""

    code = "bad_manifest"
    http = 422

    def __init__(self, problems: list[Problem]) -> None:
        word = "problem" if len(problems) == 1 else "problems"
        detail = f"ovd.toml has {len(problems)} {word}, so no release was made. First: {problems[0]}"
        super().__init__(detail, errors=[FieldError(one.key, f"{one.message} {one.cure}".strip()) for one in problems])
        self.problems = problems


class Overtaken(Refusal):
    """Another release came while this one was written."""

    code = "newer_release"


class Unchanged(Refusal):
    """The manifest is the one that the release has."""

    code = "unchanged"
    http = 422


def edited(
    *, release: Release, manifest: str, newest: int | None, by: str, by_id: int | None, now: datetime
) -> Release:
    """Afterwards there is a new release: the files of `release` with this ovd.toml; it is `building`.

    `newest` is the number of the newest release that the writer knew; None does not mind a newer one. Raises
    BadManifest, Overtaken, Unchanged, release_archives.Unreadable, BadArchive, Unready.
    """
    application = release.application
    last = application.releases.select_related("created_by").defer("log").latest("number")
    if newest is not None and last.number > newest:
        who = last.created_by.get_username() if last.created_by else "somebody"
        raise Overtaken(
            f"Release {last.number} was pushed by {who} while you were writing. Yours would start from release "
            f"{release.number}, without what {last.number} changed. Look at it first, or save once more to go ahead."
        )
    manifest = manifest.replace("\r\n", "\n")
    if problems := release_archives.problems(release.digest, manifest):
        raise BadManifest(problems)
    if manifest == release_archives.text(release.digest, release_archives.MANIFEST):
        raise Unchanged(f"The manifest is that of release {release.number}, so there is nothing to save.")
    digest, size = release_archives.with_manifest(release.digest, manifest)
    return submit(
        organisation=application.organisation, name=application.name, digest=digest, size=size, by=by, by_id=by_id,
        now=now,
    )  # fmt: skip


def _declared_name(manifest: dict[str, Any], name: str | None) -> str:
    declared = manifest.get("name", "")
    if not isinstance(declared, str) or not declared:
        raise BadArchive(
            f'ovd.toml gives no name. Write name = "{name or "my-application"}" at its top.',
            errors=[FieldError("name", "It is missing in ovd.toml, or not a text.")],
        )
    if name is not None and name != declared:
        raise BadArchive(
            f"ovd.toml says name = {_shown(declared)}, the address says {_shown(name)}. Make them agree.",
            errors=[FieldError("name", f"{_shown(declared)} in ovd.toml is not {_shown(name)}.")],
        )
    return declared


def _submit(
    organisation: Organisation,
    name: str,
    manifest: dict[str, Any],
    digest: str,
    size: int,
    by: str,
    by_id: int | None,
    now: datetime,
) -> Release:
    with transaction.atomic():
        application = Application.objects.select_for_update().filter(
            organisation=organisation, name=name
        ).first() or applications.draft(
            organisation=organisation, name=name, title=_text(manifest, "title", 200),
            summary=_text(manifest, "summary", 500), by=by, by_id=by_id, now=now,
        )  # fmt: skip
        if application.status == status.RETIRED:
            raise Unready(f"{application.address} is retired and takes no releases.")
        last = application.releases.order_by("-number").values_list("number", flat=True).first() or 0
        release = Release.objects.create(
            application=application, number=last + 1, digest=digest, size=size, created_by_id=by_id
        )
        notify("release", id=release.pk, application=application.pk)
    return release


def _text(manifest: dict[str, Any], key: str, longest: int) -> str:
    """What fits a draft of it; the build judges the manifest, and names what is wrong."""
    value = manifest.get(key, "")
    return value.replace("\x00", "")[:longest] if isinstance(value, str) else ""


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:59] + "…")


def use(*, release: Release, by: str, now: datetime) -> Application:
    """Afterwards it is its application's current release; or, while a process serves, its upcoming one.

    An upcoming release takes over in the moment in which a process of it is ready, so that no request waits for its
    start, and one that does not start changes nothing. The first ready release opens a draft. Raises Unready.
    """
    if release.state != states.READY:
        raise Unready(f"Release {release.number} is {release.state}; only a ready one can be put to use.")
    with transaction.atomic():
        application = editions.locked(release.application_id)
        release.refresh_from_db(fields=["withdrawn_at", "withdrawn_by"])
        if release.withdrawn_at is not None:
            raise Unready(
                f"Release {release.number} was withdrawn by {_person(release.withdrawn_by)}. Restore it first."
            )
        is_ready = editions.is_ready(application, release.pk, application.model_id)
        if application.release_id == release.pk:
            Application.objects.filter(pk=application.pk).update(upcoming=None, upcoming_failures=0)
        elif application.release is not None and editions.is_served(application) and not is_ready:
            Application.objects.filter(pk=application.pk).update(upcoming=release, upcoming_failures=0, retry_at=None)
            notify("application", id=application.pk)
        else:
            take_over(application=application, release=release, by=by, now=now)
    application.refresh_from_db()
    return application


def withdraw(*, release: Release, reason: str, by: str, now: datetime) -> None:
    """Afterwards nobody can make it current, until it is restored; what it made stays as it is. Raises Unready when it
    is not ready, serves, is about to, or was withdrawn before."""
    with transaction.atomic():
        application = editions.locked(release.application_id)
        release.refresh_from_db(fields=["state", "withdrawn_at", "withdrawn_by"])
        if release.state != states.READY:
            raise Unready(f"Release {release.number} is {release.state}, so nobody can use it anyway.")
        if release.withdrawn_at is not None:
            raise Unready(f"Release {release.number} was withdrawn already, by {_person(release.withdrawn_by)}.")
        for used, said in ((application.release_id, "is the current one"), (application.upcoming_id, "takes over now")):
            if used == release.pk:
                raise Unready(f"Release {release.number} {said}. Make another one current, then withdraw it.")
        values = {"withdrawn_at": now, "withdrawn_by": by, "withdraw_reason": reason.strip()[:300]}
        Release.objects.filter(pk=release.pk).update(**values)
        notify("release", id=release.pk, application=release.application_id)
    release.refresh_from_db()


def restore(*, release: Release) -> None:
    """Afterwards it can be made current again. Raises Unready when it was not withdrawn."""
    withdrawn = Release.objects.filter(pk=release.pk, withdrawn_at__isnull=False)
    with transaction.atomic():
        if not withdrawn.update(withdrawn_at=None, withdrawn_by="", withdraw_reason=""):
            raise Unready(f"Release {release.number} is not withdrawn.")
        notify("release", id=release.pk, application=release.application_id)
    release.refresh_from_db()


def build_again(*, release: Release) -> None:
    """Afterwards a failed release is `building` once more, from the same source, with a new log. Raises Unready."""
    release.application.refresh_from_db(fields=["status"])
    if release.application.status == status.RETIRED:
        raise Unready(f"{release.application.address} is retired and takes no releases.")
    if not transitions.release(release.pk, states.BUILD, error="", log="", seconds=None, begun_at=None):
        release.refresh_from_db(fields=["state"])
        raise Unready(f"Release {release.number} is {release.state}; only a failed one is built again.")
    release.refresh_from_db()


def check_again(*, release: Release, by: str, now: datetime) -> None:
    """Afterwards the runner is asked to run the samples of a ready release once more; what it finds is in `findings`.
    Whoever asks while it runs waits for the same answer. Raises Unready."""
    with transaction.atomic():
        ready = Release.objects.filter(pk=release.pk, state=states.READY)
        if not ready.exists():
            raise Unready(f"Release {release.number} is {release.state}; only a ready one can be tried.")
        ready.filter(check_asked_at=None).update(check_asked_at=now, check_asked_by=by)
        notify("release", id=release.pk, application=release.application_id)
    release.refresh_from_db()


def _person(actor: str) -> str:
    return actor.removeprefix("user:") or "somebody"


def take_over(*, application: Application, release: Release, by: str, now: datetime) -> None:
    """Afterwards it is the current release, with the title and summary that it brings; the live model stays."""
    about = {name: _text(release.manifest, name, longest) for name, longest in (("title", 200), ("summary", 500))}
    Application.objects.filter(pk=application.pk).update(
        release=release, upcoming=None, start_failures=0, upcoming_failures=0, retry_at=None,
        wakes_at=now, foreseen=None,  # its hours and habits are looked at anew
        **{name: text for name, text in about.items() if text},
    )  # fmt: skip
    before = str(application.release.number) if application.release else ""
    cause = f"release:{release.number}"
    transitions.record(
        application.pk, "release", before, str(release.number), "use",
        reason=f"Release {release.number} is current.", now=now, actor=by, cause=cause,
    )  # fmt: skip
    if application.status == status.DRAFT:
        transitions.move(
            application.pk, "status", status.ENABLE, now=now, actor=by, cause=cause,
            reason=f"Opened: release {release.number} is ready.", next_what=outlook.SLEEPS_ON,
        )  # fmt: skip


def drop_upcoming(*, application: Application, reason: str, now: datetime) -> None:
    """Afterwards the current release stays: the upcoming one does not start."""
    if application.upcoming is None or application.release is None:
        return
    dropped, stays = application.upcoming.number, str(application.release.number)
    Application.objects.filter(pk=application.pk).update(upcoming=None, upcoming_failures=0, retry_at=None)
    transitions.record(
        application.pk, "release", stays, stays, "refuse", now=now, cause=f"release:{dropped}",
        reason=f"Release {dropped} does not start, so release {stays} stays: {reason}",
    )  # fmt: skip


def description(digest: str, manifest: dict[str, Any]) -> str:
    """The Markdown file that the manifest names, or nothing when there is none."""
    name = manifest.get("description")
    data = read_file(digest, str(name), LARGEST_DESCRIPTION) if name else None
    return (data or b"").decode(errors="replace").replace("\x00", "")


def read_file(digest: str, name: str, largest: int) -> bytes | None:
    """One file of a release's archive, by its path in the folder; None when missing or over `largest` bytes."""
    with files.open(digest) as archive, tarfile.open(fileobj=archive, mode="r|gz", tarinfo=Entry) as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]
            if _path(member) == name and member.isfile() and member.size <= largest:
                file = tar.extractfile(member)
                return file.read() if file else None
    return None


def _path(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


def read_manifest(archive: BinaryIO) -> dict[str, Any]:
    """The parsed `ovd.toml` at the top of a tar.gz. Raises BadArchive."""
    total = 0
    try:
        with tarfile.open(fileobj=archive, mode="r|gz", tarinfo=Entry) as tar:
            for count, member in enumerate(tar, start=1):
                tar.members = []  # type: ignore[attr-defined]  # the library remembers every entry
                total += member.size
                if count > MOST_ENTRIES:
                    raise _bad(f"The archive has more than {MOST_ENTRIES:,} entries. Leave data and caches out.")
                if total > LARGEST_UNPACKED:
                    raise _bad(f"The archive unpacks to more than {LARGEST_UNPACKED >> 30} GiB. Leave data out.")
                if _path(member) != "ovd.toml" or not member.isfile():
                    continue
                file = tar.extractfile(member)
                if file is None or member.size > LARGEST_MANIFEST:
                    raise _bad(f"ovd.toml has more than {LARGEST_MANIFEST >> 20} MiB.")
                return _parsed(file.read())
    except (tarfile.TarError, zlib.error, EOFError, OSError, RecursionError) as error:
        why = printable(str(error)[:200])
        raise BadArchive(
            f"The archive is not a readable tar.gz: {why}. Send the folder with `ovd push`.",
            errors=[FieldError("archive", why)],
        ) from None
    except _Deep:
        raise _bad("ovd.toml is nested too deeply.") from None
    except ValueError as error:  # of TOML, of UTF-8, of numbers beyond all bounds
        raise BadArchive(
            f"ovd.toml cannot be read: {error}. `ovd check` shows the line.",
            errors=[FieldError("ovd.toml", str(error))],
        ) from None
    raise BadArchive(
        "The archive holds no ovd.toml at its top. Send the application's folder with `ovd push`.",
        errors=[FieldError("ovd.toml", "It is missing.")],
    )


class _Deep(Exception):
    """TOML nested too deeply."""


def _parsed(manifest: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(manifest.decode())
    except RecursionError:
        raise _Deep from None


def _bad(detail: str) -> BadArchive:
    return BadArchive(detail, errors=[FieldError("archive", detail)])
