"""Sources: places that the manifest names, from which data is pulled, each file once. Floor 2: may use store, files.

An address may be
* relative: a folder below OVD_HOME/sources/<organisation>/<application>, which the operators fill or mount;
* anything below a prefix that the operators allow (OVD_SOURCES);
* anything at all, when somebody of the platform's staff pushed the release.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction

from ovd_saas.appcore import batches, intake, loose_files
from ovd_saas.appcore.intake import Delivered, Delivery, Rules
from ovd_saas.appcore.intake_spool import DiskFull, Spool
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.appcore.sources_places import Folder, Found, Place, Remote
from ovd_saas.domain.schedules import BadSchedule, Schedule
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, SourceFile

log = structlog.get_logger()
READ = 1 << 18  # bytes at once
LONGEST_ERROR = 4000  # characters
_WHOLE = ""  # path of the row that says what is wrong with a source as a whole


@dataclass(frozen=True)
class Declared:
    """A source as the manifest has it."""

    address: str
    pattern: str = "*"
    schedule: str = ""  # five fields of cron; empty: only when somebody notifies


class NotAllowed(Refusal):
    """The address lies where applications of this organisation may not have data pulled from."""

    code = "source_not_allowed"


def declared(application: Application) -> list[Declared]:
    """Read it with `select_related("release")`."""
    manifest = application.release.manifest if application.release else {}
    found = (manifest.get("learn") or {}).get("sources") or ()
    names = ("address", "pattern", "schedule")
    return [Declared(**{name: one[name] for name in names if one.get(name)}) for one in found]


def due(application: Application, now: datetime) -> list[Declared]:
    """The sources to be pulled now: all when somebody asked, else those whose schedule came up since the last look."""
    sources = declared(application)
    if application.pull_asked_at is not None or application.pulled_until is None:
        return sources if application.pull_asked_at is not None else []
    since = application.pulled_until
    return [source for source in sources if _came_up(application, source, since, now)]


def next_at(application: Application, source: Declared, now: datetime) -> datetime | None:
    """When it is pulled next by itself."""
    schedule = _schedule(application, source)
    return schedule.after(application.pulled_until or now) if schedule is not None else None


def schedule(*, application: Application, now: datetime) -> None:
    """Afterwards the moment at which the first of its release's sources comes up is known; where they were never looked
    at before, the schedules begin to count. Read it with `select_related("release")`."""
    values: dict[str, Any] = {"pull_release": application.release_id, "pull_at": None}
    if declared(application):
        since = application.pulled_until or now
        values |= {"pulled_until": since, "pull_at": _first_at(application, since)}
    Application.objects.filter(pk=application.pk, release=application.release_id).update(**values)


def _first_at(application: Application, since: datetime) -> datetime | None:
    schedules = [_schedule(application, source) for source in declared(application)]
    moments = (found.after(since) for found in schedules if found is not None)
    return min((at for at in moments if at is not None), default=None)


def _came_up(application: Application, source: Declared, since: datetime, now: datetime) -> bool:
    schedule = _schedule(application, source)
    return schedule is not None and schedule.passed(since, now) is not None


def _schedule(application: Application, source: Declared) -> Schedule | None:
    assert application.release is not None
    if not source.schedule:
        return None
    try:
        return Schedule(source.schedule, str(application.release.manifest["learn"].get("time_zone") or "UTC"))
    except BadSchedule:
        return None


def place(application: Application, source: Declared) -> Place:
    """Where its files are. Raises NotAllowed, ValueError, and what fsspec has against the address."""
    address = source.address.removeprefix("file://").removeprefix("local://")
    is_local = "://" not in address and "::" not in address
    if is_local and not address.startswith("/"):
        return Folder(_below(Path(settings.HOME) / "sources" / application.address, address), source.pattern)
    if not _is_allowed(application, address, is_local=is_local):
        raise NotAllowed(
            f"Source {source.address} is not allowed: {application.address} may only name folders below "
            f"sources/{application.address} of the platform's data folder. An operator allows more with "
            f"OVD_SOURCES={source.address}, or somebody of the platform's staff pushes the release."
        )
    return Folder(Path(os.path.realpath(address)), source.pattern) if is_local else Remote(address, source.pattern)


def _below(base: Path, relative: str) -> Path:
    root, found = Path(os.path.realpath(base)), Path(os.path.realpath(base / relative))
    if found != root and root not in found.parents:
        raise NotAllowed(f"Source {relative} leaves the folder of its application. Name a folder below it.")
    return found


def _is_allowed(application: Application, address: str, *, is_local: bool) -> bool:
    release = application.release
    if release is not None and release.created_by is not None and release.created_by.is_staff:
        return True
    if is_local:
        found = Path(os.path.realpath(address))
        roots = [Path(os.path.realpath(prefix)) for prefix in settings.SOURCES if prefix.startswith("/")]
        return any(found == root or root in found.parents for root in roots)
    if ".." in address.split("/") or "%" in address:
        return False
    prefixes = [prefix.rstrip("/") for prefix in settings.SOURCES if "://" in prefix]
    return any(address == prefix or address.startswith(f"{prefix}/") for prefix in prefixes)


def pull(*, application: Application, source: Declared, clock: Callable[[], datetime]) -> int:
    """Afterwards each file of the source that was not pulled before is a batch, or its row says why not; how many
    became one. A file that could not be pulled is tried again when it has changed, or when the reason was not its own.
    Read the application with `select_related("organisation", "release__created_by")`. Raises NotLearning."""
    rules = intake.rules_of(application)
    count, unnamed = 0, 0
    try:
        there = place(application, source)
        for found in there.files():
            if not _has_good_name(found.path):
                unnamed += 1
            elif _is_new(application, source, found):
                count += _pull_one(rules, source, there, found, clock)
    except Refusal as refusal:
        _tell(application.pk, source, refusal.detail, clock())
    except DatabaseError:
        raise
    except Exception as error:  # of whatever library reaches the place
        log.warning(
            "a source cannot be pulled", application=application.address, source=source.address, error=str(error)
        )
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        _tell(
            application.pk, source, f"{source.address} cannot be read: {why}. It is tried again the next time.", clock()
        )
    else:
        names = f"{unnamed} files are left out: their names are too long, or not text in UTF-8." if unnamed else ""
        _tell(application.pk, source, names, clock())
    return count


def _has_good_name(path: str) -> bool:
    return len(path) <= 1000 and "\x00" not in path and not any("\ud800" <= one <= "\udfff" for one in path)


def _is_new(application: Application, source: Declared, found: Found) -> bool:
    row = _rows(application.pk, source, found.path).first()
    return row is None or (row.batch_id is None and row.version != found.version)


def _pull_one(rules: Rules, source: Declared, there: Place, found: Found, clock: Callable[[], datetime]) -> int:
    """1 when a new batch came of it."""
    try:
        with there.open(found.path) as file:
            delivered = _delivered(rules, source, found, file)
    except DiskFull as refusal:  # it is not the file's fault: tried again the next time
        _note(rules, source, Found(found.path, ""), refusal.detail, clock())
        return 0
    except Refusal as refusal:
        listed = [f"{error.field}: {error.message}" for error in refusal.errors[:20]]
        _note(rules, source, found, "\n".join([refusal.detail, *listed]), clock())
        return 0
    except OSError as error:
        _note(rules, source, Found(found.path, ""), f"It cannot be read: {error.strerror or error}.", clock())
        return 0
    now = clock()
    with transaction.atomic():
        batch, is_new = batches.receive(
            application_id=rules.application_id, delivered=delivered, kind=batches.SOURCE, sender=batches.APPCORE,
            same_within=rules.same_within, now=now,
        )  # fmt: skip
        values = {"version": found.version, "batch": batch, "error": "", "seen_at": now}
        row, is_mine = _rows(rules.application_id, source, found.path).get_or_create(
            application_id=rules.application_id, source=source.address, path=found.path, defaults=values
        )
        if not is_mine and row.batch_id is None:
            SourceFile.objects.filter(pk=row.pk).update(**values)
        elif not is_mine:  # somebody else pulled it in the same moment
            transaction.set_rollback(True)
            is_new = False
            loose_files.let_go(delivered.digests, now=now)
    return int(is_new)


def _delivered(rules: Rules, source: Declared, found: Found, file: BinaryIO) -> Delivered:
    suffix = os.path.splitext(found.path)[1].lower()  # noqa: PTH122 - it is no path of this machine
    media_type = intake.SUFFIXES.get(suffix)
    if media_type is None:
        kinds = ", ".join(intake.SUFFIXES)
        raise intake.UnknownFormat(f"Its name ends with none of {kinds}. Name the files that are meant with `pattern`.")
    origin: dict[str, Any] = {"source": source.address, "path": found.path}
    with Delivery(rules, media_type) as delivery:
        if media_type == intake.JSON_LINES:
            while chunk := file.read(READ):
                delivery.feed(chunk)
            return delivery.finish(origin=origin)
        with Spool() as spool:
            while chunk := file.read(READ):
                spool.feed(chunk)
            delivery.take_file(spool.file, spool.digest)
            return delivery.finish(origin=origin)


def _rows(application_id: int, source: Declared, path: str) -> Any:
    return SourceFile.objects.filter(application=application_id, source=source.address, path=path)


def _note(rules: Rules, source: Declared, found: Found, error: str, now: datetime) -> None:
    SourceFile.objects.update_or_create(
        application_id=rules.application_id, source=source.address, path=found.path,
        defaults={"version": found.version, "error": _short(error), "seen_at": now},
    )  # fmt: skip


def _tell(application_id: int, source: Declared, error: str, now: datetime) -> None:
    """What is wrong with the source as a whole; nothing: there is no such row."""
    if not error:
        _rows(application_id, source, _WHOLE).delete()
        return
    SourceFile.objects.update_or_create(
        application_id=application_id, source=source.address, path=_WHOLE,
        defaults={"version": "", "error": _short(error), "seen_at": now},
    )  # fmt: skip


def _short(error: str) -> str:
    error = error.replace("\x00", "�").encode("utf-8", "replace").decode()
    return error if len(error) <= LONGEST_ERROR else error[: LONGEST_ERROR - 1] + "…"


@transaction.atomic
def pulled(*, application: Application, now: datetime) -> None:
    """Afterwards the schedules count as looked at up to `now`, and whoever asked for a pull before has had it. Another
    who asked meanwhile still waits. `application` is as it was read before the pull."""
    rows = Application.objects.filter(pk=application.pk)
    rows.update(pulled_until=now)
    rows.filter(pull_release=application.release_id or 0).update(pull_at=_first_at(application, now))
    if application.pull_asked_at is not None and rows.filter(pull_asked_at=application.pull_asked_at).update(
        pull_asked_at=None
    ):
        notify("batch", application=application.pk)  # learning may have waited for it
