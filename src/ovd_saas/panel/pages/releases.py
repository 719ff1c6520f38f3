"""Releases: the tab of an application, and one of them: overview, manifest, changes, files, build log. Floor 3."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access, release_archives
from ovd_saas.appcore import release_comparisons as comparisons
from ovd_saas.appcore import releases as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import releases as states
from ovd_saas.domain import service
from ovd_saas.files import store as files
from ovd_saas.panel import builds, manifest_rows, schema_rows
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import releases
from ovd_saas.store.records import Application, Release

PER_PAGE = 50
LARGEST_ARCHIVE = 512 << 20  # bytes, as in the API
LOG_SHOWN = 200_000  # characters of a log in the page; all of it is in the download


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab of an application shows."""
    page = releases.page_of(row, before=request.GET.get("before") or None, limit=PER_PAGE)
    older = releases.understood_before(row, page.items[-1].number) if page.items else None
    rows = []
    for one in reversed(page.items):
        rows.append((one, comparisons.in_short(older, one)))
        older = one if one.manifest else older
    return {"releases": page, "release_rows": rows[::-1]}


TAB = Tab(
    "releases", gettext_lazy("Releases"), "package", tab,
    below="panel/application/releases_push.html", scripts="panel/application/releases_scripts.html",
)  # fmt: skip


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """One release; the part that is open stands in the address."""
    by = found.caller(request)
    application = found.application(by, org, name)
    row = release(application, number)
    wanted = request.GET.get("tab", "overview")
    part = wanted if wanted in _PARTS else "overview"
    is_current = application.release_id == row.pk
    may_push = access.may(by, access.PUSH, org)
    context: dict[str, Any] = {
        "here": "applications",
        "application": application,
        "release": row,
        "look": looks.of(looks.RELEASES, row.state),
        "part": part,
        "parts": [(key, word, icon) for key, (word, icon, _content) in _PARTS.items()],
        "is_current": is_current,
        "is_upcoming": application.upcoming_id == row.pk,
        "may_push": may_push,
        "may_use": may_push and row.state == states.READY and not is_current and row.withdrawn_at is None,
        "steps": builds.steps(row),
        "cause": builds.cause(row)[1],
        "cure": builds.cure(row),
        "is_awake": application.service in (service.AWAKE, service.WAKING),
        "against_current": comparisons.of_schemas(application.release, row) if application.release else [],
    }
    context |= _PARTS[part][2](request, by, row, context)
    return shown(request, "panel/release", context)


def release(application: Application, number: int) -> Release:
    """Raises Http404."""
    row = releases.by_number(application, number)
    if row is None:
        raise Http404("No such release.")
    return row


def _overview(_request: HttpRequest, by: access.Caller, row: Release, _context: dict[str, Any]) -> dict[str, Any]:
    environment = row.manifest.get("environment") or {}
    return {
        "sides": [(key, schema_rows.of(row.schema.get(key) or {})) for key in ("inputs", "outputs", "sample")],
        "samples": row.schema.get("samples", []),
        "findings": row.findings or {},
        "python": (row.findings or {}).get("python") or environment.get("python", "–"),
        "lock": environment.get("lock", "requirements.lock"),
        "sharing": releases.sharing(row, None if by.is_staff else list(by.roles)),
    }


def _manifest(_request: HttpRequest, _by: access.Caller, row: Release, _context: dict[str, Any]) -> dict[str, Any]:
    return {
        "text": _text(row, release_archives.MANIFEST),
        "sections": manifest_rows.of(row.manifest),
        "newest": releases.newest(row.application),
    }


def _changes(request: HttpRequest, _by: access.Caller, row: Release, _context: dict[str, Any]) -> dict[str, Any]:
    numbers = [(number, state) for number, state in releases.numbers(row.application) if number != row.number]
    wanted = request.GET.get("against", "")
    usual = next((number for number, _state in numbers if number < row.number), None)
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 8 else usual
    other = releases.by_number(row.application, number) if number is not None else None
    if wanted and other is None:
        raise Http404("There is no release to compare with.")
    answer: dict[str, Any] = {"numbers": numbers, "other": other}
    if other is None:
        return answer
    try:
        return answer | {"comparison": comparisons.of(other, row)}
    except release_archives.Unreadable as refusal:
        return answer | {"unreadable": refusal.detail}


def _files(request: HttpRequest, _by: access.Caller, row: Release, _context: dict[str, Any]) -> dict[str, Any]:
    try:
        listed = release_archives.contents(row.digest)
        path = request.GET.get("file", "")
        chosen = next((file for file in listed if file.path == path), None)
        if path and chosen is None:
            raise Http404("This release has no such file.")
        text = release_archives.text(row.digest, path) if chosen and chosen.is_shown else None
    except release_archives.Unreadable as refusal:
        return {"unreadable": refusal.detail}
    return {"listed": listed, "chosen": chosen, "text": text, "total": sum(file.size for file in listed)}


def _log(_request: HttpRequest, _by: access.Caller, row: Release, _context: dict[str, Any]) -> dict[str, Any]:
    return {"log": row.log[-LOG_SHOWN:], "log_length": len(row.log), "is_cut": len(row.log) > LOG_SHOWN}


def _text(row: Release, path: str) -> str | None:
    try:
        return release_archives.text(row.digest, path)
    except release_archives.Unreadable:
        return None


_Content = Callable[[HttpRequest, access.Caller, Release, dict[str, Any]], dict[str, Any]]
_PARTS: dict[str, tuple[Any, str, _Content]] = {
    "overview": (gettext_lazy("Overview"), "activity", _overview),
    "manifest": (gettext_lazy("Manifest"), "adjustments", _manifest),
    "changes": (gettext_lazy("Changes"), "versions", _changes),
    "files": (gettext_lazy("Files"), "folder", _files),
    "log": (gettext_lazy("Build log"), "terminal-2", _log),
}


@login_required
@require_POST
def push(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """A new release from an archive that was chosen or dropped."""
    by = found.caller(request)
    application = found.application(by, org, name, access.PUSH)
    back = reverse("panel:application", args=[org, name]) + "?tab=releases"
    upload = request.FILES.get("archive")
    try:
        if upload is None:
            raise NoArchive(_("No archive came. Choose the .tar.gz of the application's folder."))
        if (upload.size or 0) > LARGEST_ARCHIVE:
            raise NoArchive(_("The archive is over 512 MiB. Leave data and caches out of it."))
        digest, size = files.put_stream(upload.chunks())
        made = verbs.submit(
            organisation=application.organisation, name=name, digest=digest, size=size, by=by.actor,
            by_id=by.user_id, now=timezone.now(),
        )  # fmt: skip
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    page = reverse("panel:release", args=[org, name, made.number]) + "?tab=log"
    said = _("Release {number} is being built.").format(number=made.number)
    return answers.done(request, said, back=page, leave=True)


class NoArchive(Refusal):
    """The form came without its file."""

    code = "no_archive"
    http = 422
