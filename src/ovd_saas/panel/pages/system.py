"""System: the platform itself: health of its parts, versions, room, settings, walls, backup. For staff. Floor 3."""

import platform
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import django
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from ovd_saas.assets import found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import walls
from ovd_saas.files import disk
from ovd_saas.panel import backups, settings_words
from ovd_saas.store.queries import liveness, system
from ovd_saas.store.records import Runner

STALE_SECONDS = 20.0  # AppCore notes every 5 s that it sees a runner
WELL = looks.Look("go", "circle-check", gettext_lazy("well"))
DOWN = looks.Look("bad", "plug-connected-x", gettext_lazy("down"))
UNKNOWN = looks.Look("still", "info-circle", gettext_lazy("unknown"))
_STARTED = timezone.now()  # this web process


@dataclass(frozen=True)
class Part:
    """One part of the platform."""

    name: str
    does: str
    look: looks.Look
    says: str
    since: datetime | None
    version: str = ""


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    if not found.caller(request).is_staff:
        raise Http404("Only the platform's staff sees its inside.")
    database = system.database()
    runners = list(liveness.runners())
    context = {
        "here": "system",
        "parts": _parts(database, runners),
        "database": database,
        **_SECTIONS.get(request.headers.get("X-Fragment", ""), _all)(database, runners),
    }
    return shown(request, "panel/system", context)


def _all(database: system.Database, runners: list[Runner]) -> dict[str, Any]:
    return {
        **_disk(database, runners),
        **_tables(database, runners),
        "versions": _versions(database),
        "schema": system.schema(),
        "settings": settings_words.all_of(),
        "walls": [(one, _standing(one)) for one in runners],
        "backup": backups.state(timezone.now()),
    }


def _health(database: system.Database, runners: list[Runner]) -> dict[str, Any]:
    return {}


def _disk(database: system.Database, runners: list[Runner]) -> dict[str, Any]:
    return {"disks": disk.disks(), "files": disk.files_folder()}


def _tables(database: system.Database, runners: list[Runner]) -> dict[str, Any]:
    return {"tables": system.tables()}


_SECTIONS = {"health": _health, "disk": _disk, "tables": _tables}


def _parts(database: system.Database, runners: list[Runner]) -> list[Part]:
    leads = system.leads_since()
    appcore = Part(
        _("AppCore"), _("wakes, puts to sleep, lets learn, judges, cleans up"), WELL if leads else DOWN,
        _("One leads.") if leads else _("None leads: nothing wakes, learns or falls asleep. Start one: ovd appcore."),
        leads, own_version(),
    )  # fmt: skip
    used = {"used": database.connections, "all": database.most_connections}
    postgres = Part(
        "PostgreSQL", _("keeps every record"), WELL,
        _("%(used)s of %(all)s connections in use.") % used, database.started_at, database.version.split()[0],
    )  # fmt: skip
    web = Part(_("Web"), _("pages, API and executions of awake applications"), WELL, _("It shows you this page."),
               _STARTED, own_version())  # fmt: skip
    return [
        web,
        appcore,
        *(_runner(one, bool(leads)) for one in runners),
        *([] if runners else [_no_runner()]),
        postgres,
    ]


def _runner(runner: Runner, is_watched: bool) -> Part:
    age = (timezone.now() - runner.seen_at).total_seconds() if runner.seen_at else float("inf")
    does = _("starts and stops processes on its machine")
    since = parse_datetime(str(runner.facts.get("started_at") or ""))
    python = f"Python {runner.facts['python']}" if runner.facts.get("python") else ""
    name = _("Runner %(name)s") % {"name": runner.name}
    if runner.is_up and age <= STALE_SECONDS:
        return Part(name, does, WELL, _("Seen a moment ago."), since, python)
    if not is_watched:
        return Part(name, does, UNKNOWN, _("Without an AppCore nobody watches runners."), since, python)
    says = _("It does not answer. Start it on its machine: ovd runner.")
    return Part(name, does, DOWN, says, runner.seen_at, python)


def _no_runner() -> Part:
    return Part(_("Runner"), _("starts and stops processes on its machine"), DOWN,
                _("None has reported yet. Start one: ovd runner."), None)  # fmt: skip


def _versions(database: system.Database) -> list[tuple[str, str]]:
    return [
        ("OVD-SaaS", own_version()),
        ("ovd (SDK)", _of("ovd")),
        ("Python", sys.version.split()[0]),
        ("Django", django.get_version()),
        ("PostgreSQL", database.version),
        (_("System"), f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]


def own_version() -> str:
    return _of("ovd-saas")


def _of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "–"


@dataclass(frozen=True)
class Standing:
    """The walls of one machine."""

    all: list[walls.Wall]
    missing: list[walls.Wall]

    @property
    def words(self) -> str:
        if not self.missing:
            return _("all %(count)s stand") % {"count": len(self.all)}
        counts = {"missing": len(self.missing), "all": len(self.all)}
        return ngettext(
            "%(missing)s of %(all)s cannot stand here", "%(missing)s of %(all)s cannot stand here", len(self.missing)
        ) % (counts)


def _standing(runner: Runner) -> Standing:
    found_ = walls.of(runner.facts.get("walls") or {})
    return Standing(found_, [wall for wall in found_ if not wall.stands])
