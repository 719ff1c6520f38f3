"""Timeline: the ledger of all applications, or of one; from a cause to its effects and back. Floor 3."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access
from ovd_saas.assets import found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.panel import causes
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import applications, ledger, pages, people
from ovd_saas.store.queries.ledger import Asked
from ovd_saas.store.records import Application

PER_PAGE = 50
MOST_ORGANISATIONS = 200  # in the filter
KINDS = {
    "service": _("waking and sleeping"),
    "status": _("decisions of people"),
    "health": _("health"),
    "release": _("releases"),
    "learning": _("learning"),
    ledger.TRIGGER: _("triggers looked at"),
    "model": _("promotions"),
    "network": _("network"),
}
FILTERS = ("application", "organisation", "kind", "actor", "q", "since", "until", "cause")
PLATFORM = ("appcore", "gate", "bake")  # actors that are nobody's user name


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Everything that happened to the applications that the person may see."""
    by = found.caller(request)
    address = request.GET.get("application", "").strip()
    row = found.application(by, *_split(address)) if address else None
    context = {
        "here": "timeline",
        "is_everything": True,
        "application": row,
        "organisations": list(people.organisations_of(by).values_list("slug", flat=True)[:MOST_ORGANISATIONS]),
    }
    try:
        context |= content(request.GET, by, row)
    except pages.BadCursor:
        raise Http404("There is no such page of this list.") from None
    return shown(request, "panel/timeline", context)


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab of an application shows."""
    return content(request.GET, found.caller(request), row)


TAB = Tab("timeline", _("Timeline"), "history", tab, is_live=False, scripts="panel/timeline/scripts.html")


def content(query: QueryDict, by: access.Caller, row: Application | None) -> dict[str, Any]:
    """A page of the ledger with its filter, of one application or of all. Raises BadCursor."""
    said = {name: query.get(name, "").replace("\0", "").strip()[:200] for name in FILTERS}
    if row is not None:
        said["application"] = row.address
    asked = _asked(by, row, said)
    before, after = query.get("before") or None, query.get("after") or ""
    said = {name: value for name, value in said.items() if value}
    found_ = ledger.page(asked, before=before, limit=PER_PAGE) if not after else None
    return {
        "said": said,
        "query": urlencode(said),
        "ledger": found_,
        "news": ledger.newer(asked, after) if after else 0,
        "after": after,
        "is_first": before is None,
        "is_narrowed": bool(set(said) - {"application"}),
        "kinds": [(name, word, name == said.get("kind")) for name, word in KINDS.items()],
        "cause": causes.of(row, said["cause"]) if row is not None and "cause" in said else None,
        "ledger_url": reverse("panel:timeline"),
        "live": f"application:{row.pk}" if row is not None else "applications",
    }


def _asked(by: access.Caller, row: Application | None, said: dict[str, str]) -> Asked:
    ids: tuple[int, ...] | None = None
    if row is not None:
        ids = (row.pk,)
    elif said["organisation"] or not by.is_staff:
        rows = applications.of(by).order_by()
        if said["organisation"]:
            rows = rows.filter(organisation__slug=said["organisation"])
        ids = tuple(rows.values_list("pk", flat=True))
    actor = said["actor"]
    return Asked(
        applications=ids,
        kind=said["kind"] if said["kind"] in KINDS else "",
        actor=_actor(actor) if actor else "",
        text=said["q"][:100],
        since=_moment(said["since"]),
        until=_moment(said["until"]),
        cause=said["cause"],
    )


def _actor(text: str) -> str:
    """As the ledger names them: a person by user:NAME, parts of the platform by their own names."""
    return text.lower() if text.lower() in PLATFORM else text if text.startswith("user:") else f"user:{text}"


def _moment(text: str) -> datetime | None:
    """Of a form, "2026-03-01T12:00", in UTC; what is none of these filters nothing."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _split(address: str) -> tuple[str, str]:
    org, _slash, name = address.partition("/")
    return org, name
