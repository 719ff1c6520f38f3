"""Application: what one of them does, why and what is next; and the tab that is open. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access, adoptions
from ovd_saas.assets import found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import applications as rules
from ovd_saas.panel import foresight, stories
from ovd_saas.panel.pages import data, executions, learning, models, overview, releases, samples, settings, timeline
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import loads, pages
from ovd_saas.store.records import Application

TABS: tuple[Tab, ...] = (
    overview.TAB,
    executions.TAB,
    data.TAB,
    learning.TAB,
    models.TAB,
    releases.TAB,
    samples.TAB,
    timeline.TAB,
    settings.TAB,
)
MOVED = {"about": settings.TAB, "processes": settings.TAB}  # addresses that people have kept
_BY_KEY = MOVED | {tab.key: tab for tab in TABS}


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """One application: what it does, why, what happens next; and the tab that is open."""
    by = found.caller(request)
    row = found.application(by, org, name)
    tab = _BY_KEY.get(request.GET.get("tab", ""), overview.TAB)
    may_operate = access.may(by, access.OPERATE, org)
    learns = stories.learns(row)
    context: dict[str, Any] = {
        "here": "applications",
        "application": row,
        "look": looks.application(row),
        "story": stories.of(row),
        "actions": _actions(row) if may_operate else [],
        "may_operate": may_operate,
        "may_push": access.may(by, access.PUSH, org),
        "offered": adoptions.offered(row),
        "upstream_seen": row.upstream is not None and access.may(by, access.SEE, row.upstream.organisation.slug),
        "tab": tab,
        "learns": learns,
        "tabs": [one for one in TABS if learns or not one.of_learning],
    }
    try:
        if learns or not tab.of_learning:
            context |= tab.content(request, row)
    except pages.BadCursor:
        raise Http404("There is no such page of this list.") from None
    return shown(request, "panel/application", context)


def _actions(row: Application) -> list[dict[str, Any]]:
    """Exactly the legal ones, each with what it will do, and what it would meet now."""
    legal = rules.legal_actions(row.status, row.service, row.health, has_release=row.release is not None)
    load = loads.of(row)
    return [
        {
            "name": name,
            "look": looks.ACTIONS[name],
            "effect": looks.ACTION_EFFECTS[name],
            "now": foresight.of(row, name, load),
        }
        for name in rules.ACTIONS
        if legal[name] is None
    ]
