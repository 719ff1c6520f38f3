"""Releases: one of them, with its manifest, its schema and its build; make it the current one. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import releases as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import releases as states
from ovd_saas.panel import schema_rows
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import releases
from ovd_saas.store.records import Application, Release

PER_PAGE = 50


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab of an application shows."""
    return {"releases": releases.page_of(row, before=request.GET.get("before") or None, limit=PER_PAGE)}


TAB = Tab("releases", _("Releases"), "package", tab)


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    by = found.caller(request)
    application = found.application(by, org, name)
    row = _release(application, number)
    is_current = application.release_id == row.pk
    context = {
        "here": "applications",
        "application": application,
        "release": row,
        "is_current": is_current,
        "may_use": row.state == states.READY and not is_current and access.may(by, access.PUSH, org),
        "manifest": _sections(row.manifest),
        "sides": [(side.capitalize(), schema_rows.of(row.schema.get(side, {}))) for side in _sides(row)],
        "samples": row.schema.get("samples", []),
    }  # fmt: skip
    return shown(request, "panel/release", context)


def _sides(row: Release) -> list[str]:
    return ["inputs", "outputs", *(["sample"] if row.schema.get("sample") else [])]


@login_required
@require_POST
def use(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """Make it the current one; that is also how one goes back."""
    by = found.caller(request)
    row = _release(found.application(by, org, name, access.PUSH), number)
    back = reverse("panel:release", args=[org, name, number])
    try:
        application = verbs.use(release=row, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    is_current = application.release_id == row.pk
    said = "is current." if is_current else "takes over as soon as a process of it is ready."
    return answers.done(request, f"Release {number} {said}", back=back)


def _release(application: Application, number: int) -> Release:
    row = releases.by_number(application, number)
    if row is None:
        raise Http404("No such release.")
    return row


_ORDER = (
    "name", "title", "summary", "licence", "authors", "paper", "credits", "tags", "entry", "command", "description",
    "resources", "execute", "sleep", "environment", "network", "learn", "gate", "drift",
)  # fmt: skip
_SHOWN_ELSEWHERE = ("description_text", "inputs", "outputs", "sample")


def _sections(manifest: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The manifest as it is read: what it says about itself, then each of its tables."""
    names = [*_ORDER, *(name for name in manifest if name not in _ORDER)]
    values = {name: manifest[name] for name in names if name in manifest and name not in _SHOWN_ELSEWHERE}
    about = {name: value for name, value in values.items() if not isinstance(value, dict)}
    tables = [("", about), *((name, value) for name, value in values.items() if isinstance(value, dict))]
    said = [
        (
            name,
            [
                (key, _said(value))
                for key, value in rows.items()
                if key not in _SHOWN_ELSEWHERE and not _is_empty(value)
            ],
        )
        for name, rows in tables
    ]
    return [(name, rows) for name, rows in said if rows]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(_said(inner) for inner in value.values() if not _is_empty(inner))
    if isinstance(value, list):
        return "; ".join(_said(inner) for inner in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
