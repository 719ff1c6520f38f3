"""Timeline: what happened to one application, newest first. Floor 3."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import timeline
from ovd_saas.store.records import Application

PER_PAGE = 50


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    before = request.GET.get("before") or None
    return {"transitions": timeline.of(row, before=before, limit=PER_PAGE), "is_first": before is None}


TAB = Tab("timeline", _("Timeline"), "history", tab)
