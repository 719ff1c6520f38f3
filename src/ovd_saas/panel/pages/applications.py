"""Applications: the fleet in numbers and as a table; searched, filtered and sorted by the address. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access
from ovd_saas.assets import found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.panel import wanted
from ovd_saas.panel.wanted import Wanted
from ovd_saas.store.queries import applications, panel, people
from ovd_saas.store.records import Application, Execution

MOST_SHOWN = 200  # rows that are asked for by their ids
MOST_ORGANISATIONS = 200  # in the filter
COUNTED = ("idle", "learning", "executing", "faulty")
CLOSED = ("draft", "suspended", "retired")
GROUPS = {
    **{name: looks.PHASES[name] for name in COUNTED if name in looks.PHASES},
    "faulty": looks.FAULTY,
    **{name: looks.STATUS[name] for name in CLOSED},
}
SORTED_BY = {
    "name": _("address"),
    "state": _("what needs a look first"),
    "-changed": _("latest change of state"),
    "next": _("next event"),
    "-release": _("release, the highest first"),
    "-model": _("model, the highest first"),
}
BULK = ("wake", "sleep", "suspend", "enable", "learn")

Row = tuple[Application, Execution | None]


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The fleet in numbers, and its applications."""
    by = found.caller(request)
    want = wanted.read(request.GET)
    fleet = panel.fleet(by)
    page = _page(by, want)
    organisations = list(people.organisations_of(by).values_list("slug", flat=True)[:MOST_ORGANISATIONS])
    context = {
        "here": "applications",
        "fleet": fleet,
        "want": want,
        "address": reverse("panel:applications"),
        "counts": [_count(name, fleet, want) for name in COUNTED],
        "closed": [one for one in (_count(name, fleet, want) for name in CLOSED) if one["count"] or one["is_active"]],
        "groups": [(name, look.word, name == want.show) for name, look in GROUPS.items()],
        "organisations": organisations if len(organisations) > 1 else [],
        "sorts": [(name, word, name == want.sort) for name, word in SORTED_BY.items()],
        "sizes": wanted.SIZES,
        "page": page,
        "rows": _rows(list(page)),
        "bulk": [(name, looks.ACTIONS[name]) for name in BULK] if _may(by, access.OPERATE) else [],
        "may_push": _may(by, access.PUSH),
        "all_query": want.query(q="", show="", organisation="", learns=""),
        "earlier": want.query(page=want.page - 1),
        "later": want.query(page=want.page + 1),
    }
    return shown(request, "panel/applications", context)


@login_required
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """For the script of the table: the rows of a page, or those that are shown, wherever they belong by now."""
    by = found.caller(request)
    want = wanted.read(request.GET)
    page = _page(by, want)
    ids = list(page)
    shown_ids = [int(text) for text in request.GET.get("shown", "").split(",") if text.isascii() and text.isdecimal()]
    listed = _rows(_visible(by, shown_ids[:MOST_SHOWN]) if shown_ids else ids)
    context = {"rows": listed, "may_choose": _may(by, access.OPERATE)}
    body = {
        "ids": ids,
        "page": page.number,
        "matching": page.paginator.count,
        "rows": render_to_string("panel/applications/table_rows.html", context, request),
    }
    answer = JsonResponse(body)
    answer["Cache-Control"] = "no-store"
    return answer


def _page(by: access.Caller, want: Wanted) -> Page[int]:
    ids = panel.found(by, **want.rules).values_list("pk", flat=True)
    return Paginator(ids, want.size).get_page(want.page)


def _visible(by: access.Caller, ids: list[int]) -> list[int]:
    seen = set(applications.of(by).filter(pk__in=[id_ for id_ in ids if id_ < 1 << 62]).values_list("pk", flat=True))
    return [id_ for id_ in ids if id_ in seen]


def _rows(ids: list[int]) -> list[Row]:
    last = applications.last_executions(ids)
    return [(row, last.get(row.pk)) for row in applications.listed(ids)]


def _may(by: access.Caller, verb: str) -> bool:
    return by.is_staff or any(access.may(by, verb, org) for org in by.roles)


def _count(name: str, fleet: panel.Fleet, want: Wanted) -> dict[str, Any]:
    """A counter; pressing the active one again shows everything."""
    is_active = want.show == name
    address = reverse("panel:applications") + want.query(show="" if is_active else name)
    return {
        "name": name,
        "look": GROUPS[name],
        "count": getattr(fleet, name),
        "is_active": is_active,
        "url": address,
    }
