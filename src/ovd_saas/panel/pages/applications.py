"""Applications: the list, one of them, and what a person may do to it. Floor 3."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import applications as verbs
from ovd_saas.appcore import network as reaching
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.assets.words import markdown
from ovd_saas.domain import applications as rules
from ovd_saas.domain import diagram
from ovd_saas.panel import learning_words, stories
from ovd_saas.panel.pages import data, learning, network
from ovd_saas.panel.pages import models as versions
from ovd_saas.store.queries import (
    applications,
    executions,
    learning_runs,
    models,
    pages,
    panel,
    received,
    releases,
    timeline,
)
from ovd_saas.store.records import Application

PER_PAGE = 50
TABS = {
    "overview": ("Overview", "activity"),
    "data": ("Data", "database"),
    "learning": ("Learning", "school"),
    "models": ("Models", "versions"),
    "executions": ("Executions", "player-play"),
    "releases": ("Releases", "package"),
    "timeline": ("Timeline", "history"),
    "processes": ("Processes", "cpu"),
    "about": ("About", "info-circle"),
}
OF_LEARNING = ("data", "learning", "models")  # shown for applications that learn
GROUPS = (
    ("idle", looks.PHASES["idle"]),
    ("learning", looks.PHASES["learning"]),
    ("executing", looks.PHASES["executing"]),
    ("faulty", looks.FAULTY),
)
UNDO = {"suspend": "enable"}
SAID = {
    "wake": "{} wakes now.",
    "sleep": "{} falls asleep as soon as what runs has finished.",
    "suspend": "{} is suspended: nothing starts any more.",
    "enable": "{} is enabled.",
    "retire": "{} is retired. Its archive stays readable.",
}


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


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """One application: what it does, why, what happens next; and the tab that is open."""
    by = found.caller(request)
    row = found.application(by, org, name)
    tab = request.GET.get("tab", "overview")
    tab = tab if tab in TABS else "overview"
    may_operate = access.may(by, access.OPERATE, org)
    learns = stories.learns(row)
    context: dict[str, Any] = {
        "here": "applications",
        "application": row,
        "look": looks.application(row),
        "story": stories.of(row),
        "actions": _actions(row) if may_operate else [],
        "may_operate": may_operate,
        "tab": tab,
        "learns": learns,
        "tabs": [(key, *words, key == tab) for key, words in TABS.items() if learns or key not in OF_LEARNING],
    }
    try:
        if learns or tab not in OF_LEARNING:
            context |= _TAB_CONTENTS[tab](request, row)
    except pages.BadCursor:
        raise Http404("There is no such page of this list.") from None
    return shown(request, "panel/application", context)


def _actions(row: Application) -> list[dict[str, Any]]:
    """Exactly the legal ones, each with what it will do."""
    legal = rules.legal_actions(row.status, row.service, row.health, has_release=row.release is not None)
    return [
        {"name": name, "look": looks.ACTIONS[name], "effect": looks.ACTION_EFFECTS[name]}
        for name in rules.ACTIONS
        if legal[name] is None
    ]


def _overview(request: HttpRequest, row: Application) -> dict[str, Any]:
    return {
        "diagrams": [
            (region.capitalize(), diagram.diagram({region: getattr(row, region)}, machines=(region,)))
            for region in ("service", "learning", "status", "health")
        ],
        "refused_hosts": [] if row.network_allowed else reaching.wished(row.release),
        "executions": executions.recent(row, limit=6),
        "transitions": timeline.of(row, limit=6),
        **(_learned(row) if stories.learns(row) else {}),
    }


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


def _executions(request: HttpRequest, row: Application) -> dict[str, Any]:
    wanted = request.GET.get("status", "")
    statuses = [wanted] if wanted in looks.EXECUTIONS else []
    return {
        "executions": executions.recent(row, before=_cursor(request), limit=PER_PAGE, statuses=statuses),
        "statuses": [(name, look.word, name == wanted) for name, look in looks.EXECUTIONS.items()],
        "status": wanted if statuses else "",
        "is_first": _cursor(request) is None,
    }


def _releases(request: HttpRequest, row: Application) -> dict[str, Any]:
    return {"releases": releases.page_of(row, before=_cursor(request), limit=PER_PAGE)}


def _timeline(request: HttpRequest, row: Application) -> dict[str, Any]:
    return {"transitions": timeline.of(row, before=_cursor(request), limit=PER_PAGE), "is_first": not _cursor(request)}


def _processes(request: HttpRequest, row: Application) -> dict[str, Any]:
    processes = panel.processes(row)
    return {"processes": processes, "has_memory": any(one.runner.facts.get("processes") for one in processes)}


def _about(request: HttpRequest, row: Application) -> dict[str, Any]:
    release = row.release or releases.of(row).first()
    manifest = release.manifest if release else {}
    return {
        "manifest": manifest,
        "description": markdown(release.description) if release else "",
        "limits": stories.limits(manifest),
        "waking": stories.waking(manifest),
        **network.card(row),
    }


_TAB_CONTENTS = {
    "overview": _overview,
    "data": data.tab,
    "learning": learning.tab,
    "models": versions.tab,
    "executions": _executions,
    "releases": _releases,
    "timeline": _timeline,
    "processes": _processes,
    "about": _about,
}


def _cursor(request: HttpRequest) -> str | None:
    return request.GET.get("before") or None


@login_required
@require_POST
def act(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """One action. Retiring needs the name typed as well."""
    by = found.caller(request)
    row = found.application(by, org, name, access.OPERATE)
    back = reverse("panel:application", args=[org, name])
    action = request.POST.get("action", "")
    try:
        if action not in rules.ACTIONS:
            raise UnknownAction(f"There is no action {action!r}. There are: {', '.join(rules.ACTIONS)}.")
        if action == rules.RETIRE and request.POST.get("confirm", "").strip() != name:
            raise NotConfirmed(f"Retiring is final. Type the name {name} to confirm it; nothing was changed.")
        verbs.act(application=row, action=action, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    undo: dict[str, Any] = {"undo": {"url": request.path, "action": UNDO[action]}} if action in UNDO else {}
    return answers.done(request, SAID[action].format(row.title or row.name), back=back, **undo)


class UnknownAction(Refusal):
    """A form that was not ours."""

    code = "unknown_action"
    http = 400


class NotConfirmed(Refusal):
    """The name was not typed."""

    code = "not_confirmed"
    http = 422
