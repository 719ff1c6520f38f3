"""Applications: the list, one of them, and what a person may do to it. Floor 3."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access
from ovd_saas.assets import found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.store.queries import (
    applications,
    panel,
)

PER_PAGE = 50
GROUPS = (
    ("idle", looks.PHASES["idle"]),
    ("learning", looks.PHASES["learning"]),
    ("executing", looks.PHASES["executing"]),
    ("faulty", looks.FAULTY),
)


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The fleet in four numbers, and its applications, searched and filtered by the address."""
    by = found.caller(request)
    text = request.GET.get("q", "").strip()[:100]
    show_ = request.GET.get("show", "")
    fleet = panel.fleet(by)
    rows = panel.found(by, text=text, show=show_)
    page = Paginator(rows.values_list("pk", flat=True), PER_PAGE).get_page(request.GET.get("page"))
    listed = applications.listed(list(page))
    last = applications.last_executions([row.pk for row in listed])
    context = {
        "here": "applications",
        "fleet": fleet,
        "counts": [_count(name, look, fleet, show_, text) for name, look in GROUPS],
        "page": page,
        "rows": [(row, last.get(row.pk)) for row in listed],
        "text": text,
        "shown": show_,
        "query": urlencode({key: value for key, value in (("q", text), ("show", show_)) if value}),
        "may_push": by.is_staff or any(access.may(by, access.PUSH, org) for org in by.roles),
    }
    return shown(request, "panel/applications", context)


def _count(name: str, look: looks.Look, fleet: panel.Fleet, active: str, text: str) -> dict[str, Any]:
    """A counter; pressing the active one again shows everything."""
    chosen = {"q": text, "show": "" if active == name else name}
    query = urlencode({key: value for key, value in chosen.items() if value})
    return {
        "look": look,
        "count": getattr(fleet, name),
        "is_active": active == name,
        "url": f"{reverse('panel:applications')}?{query}",
    }
