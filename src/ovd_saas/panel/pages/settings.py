"""Settings: what an application may use and reach, how it wakes, and its processes. Floor 3."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ovd_saas.assets.words import markdown
from ovd_saas.panel import stories
from ovd_saas.panel.pages import network
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import panel, releases
from ovd_saas.store.records import Application


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    release = row.release or releases.of(row).first()
    manifest = release.manifest if release else {}
    processes = panel.processes(row)
    return {
        "manifest": manifest,
        "description": markdown(release.description) if release else "",
        "limits": stories.limits(manifest),
        "waking": stories.waking(manifest),
        "processes": processes,
        "has_memory": any(one.runner.facts.get("processes") for one in processes),
        **network.card(row),
    }


TAB = Tab("settings", _("Settings"), "adjustments", tab)
