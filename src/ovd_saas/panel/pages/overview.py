"""Overview: the life of an application as a picture, and the latest of everything. Floor 3."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ovd_saas.appcore import network as reaching
from ovd_saas.domain import diagram
from ovd_saas.panel import drawn_words, learning_words, stories
from ovd_saas.panel.stories import Words
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import executions, learning_runs, models, panel, received, timeline
from ovd_saas.store.records import Application

REGIONS: dict[str, Words] = {
    "service": _("Waking and sleeping"),
    "learning": _("Learning"),
    "status": _("Decided by people"),
    "health": _("Health"),
}


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    first = ("service", "learning") if stories.learns(row) else ("service", "status")
    return {
        "diagrams": [_drawn(row, region) for region in first],
        "more_diagrams": [_drawn(row, region) for region in REGIONS if region not in first],
        "refused_hosts": [] if row.network_allowed else reaching.wished(row.release),
        "executions": executions.recent(row, limit=6),
        "transitions": timeline.of(row, limit=6),
        **(_learned(row) if stories.learns(row) else {}),
    }


def _drawn(row: Application, region: str) -> tuple[Words, str]:
    """The machine of a region with its present state lit, and what it is called."""
    drawing = diagram.diagram({region: getattr(row, region)}, machines=(region,))
    return REGIONS[region], drawn_words.in_words(drawing)


def _learned(row: Application) -> dict[str, Any]:
    """What the cards about data, learning and the live model say."""
    manifest = row.release.manifest if row.release else {}
    return {
        "totals": received.totals(row),
        "least": learning_words.manifest_part(manifest, "learn").get("min_samples", 1),
        "run": learning_runs.open_run(row),
        "lookout": panel.lookout(row),
        "live": models.live(row),
        "awaiting": learning_runs.awaiting(row),
    }


TAB = Tab("overview", _("Overview"), "activity", tab)
