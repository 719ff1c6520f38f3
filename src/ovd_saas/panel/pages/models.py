"""Models: the versions of an application, which was live when, and how one becomes live. Floor 3."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access
from ovd_saas.appcore import models as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, figures, found, looks
from ovd_saas.domain import learning_runs
from ovd_saas.domain import models as states
from ovd_saas.panel import drift_words, learning_words, lineages
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import models, pages, panel
from ovd_saas.store.records import Application, ModelVersion, Promotion

PER_PAGE = 20
COMPARED = 60  # versions in the chart of the metric
REMEMBERED = 200  # rows of the ledger in the strip


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    now = timezone.now()
    manifest = row.release.manifest if row.release else {}
    before = request.GET.get("before") or None
    page: pages.Page[ModelVersion] = models.recent(row, before=before, limit=PER_PAGE)
    ledger = list(models.ledger(row)[:REMEMBERED])
    chart = compared(row)
    back = models.previous_live(row) if len(ledger) > 1 else None
    live = models.live(row)
    return {
        "live": live,
        "live_metrics": learning_words.shown_metrics(live.metrics, chart["metric"]) if live else [],
        "promotion": ledger[0] if ledger else None,
        "back": back,
        "baking": _baking(row, now),
        "gate": learning_words.manifest_part(manifest, "gate"),
        "upcoming": row.upcoming_model,
        "versions": [
            (one, offers(one, live), learning_words.shown_metrics(one.metrics, chart["metric"])) for one in page.items
        ],
        "older": page.next,
        "is_first": before is None,
        **chart,
        "lineage": lineages.rows(page.items, models.data_steps(page.items), models.stretches_of(page.items)),
        "ledger": ledger[:30],
        "strip": _strip(ledger, now),
        "then": _then(request, row, now) if ledger else None,
        "drift": drift_words.of(panel.drift(row)),
        "has_drift_rules": bool(manifest.get("drift")),
        "api": f"/api/v1/applications/{row.organisation.slug}/{row.name}/models",
    }


def compared(row: Application) -> dict[str, Any]:
    """The gate's metric of the latest versions, as a chart."""
    manifest = row.release.manifest if row.release else {}
    latest = list(models.all_of(row)[:COMPARED])
    metric = learning_words.metric_of(manifest, latest[0].metrics if latest else {})
    better = learning_words.better(manifest)
    return {"metric": metric, "better": better, "chart": _chart(latest, metric, better)}


def _then(request: HttpRequest, row: Application, now: datetime) -> dict[str, Any]:
    """What was live at the moment that is asked for, in UTC."""
    asked = request.GET.get("at", "")
    try:
        at = datetime.fromisoformat(asked).replace(tzinfo=UTC) if asked else None
    except ValueError:
        at = None
    return {
        "asked": asked if at else "",
        "at": at,
        "is_wrong": bool(asked) and at is None,
        "is_ahead": at is not None and at > now,
        "stretch": models.stretch_at(row, at) if at else None,
        "latest": f"{now:%Y-%m-%dT%H:%M}",
    }


TAB = Tab(
    "models", gettext_lazy("Models"), "versions", tab, of_learning=True, scripts="panel/application/figure_scripts.html"
)


def _baking(row: Application, now: datetime) -> Promotion | None:
    promotion = row.baking
    return promotion if promotion and promotion.bakes_until and promotion.bakes_until > now else None


def offers(one: ModelVersion | None, live: ModelVersion | None) -> list[str]:
    """What a person may do with it."""
    if one is None:
        return []
    if one.state == states.RETIRED:
        return ["rollback"]
    if one.state != states.CANDIDATE or (one.run and one.run.status != learning_runs.AWAITING):
        return []
    is_stale = live is not None and one.parent_id != live.pk
    return ["reject"] if is_stale else ["promote", "reject"]


def _chart(versions: Sequence[ModelVersion], metric: str, better: str) -> Any:
    numbers = [(one, one.metrics.get(metric)) for one in reversed(versions)]
    points = [
        (one.number, float(value), one.state, looks.of(looks.MODELS, one.state).word)
        for one, value in numbers
        if isinstance(value, int | float)
    ]
    return figures.versions(metric, "min" if better == "lower" else "max", points) if len(points) > 1 else None


def _strip(ledger: Sequence[Promotion], now: datetime) -> Any:
    """The ledger as spans of time; what came after a row ends it."""
    if not ledger:
        return None
    rows = list(reversed(ledger))
    ends = [*(row.at for row in rows[1:]), None]
    return figures.ledger(
        [(row.model.number, row.at, end, row.reason) for row, end in zip(rows, ends, strict=True)], now
    )


@login_required
@require_POST
def promote(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """Makes a candidate live; approving is the same."""
    by = found.caller(request)
    application = found.application(by, org, name, access.OPERATE)
    model = _model(application, number)
    back = _back(org, name)
    reason = request.POST.get("reason", "").strip()[:500] or f"Promoted by {by.username}."
    try:
        state = verbs.promote(application=application, model=model, by=by.actor, reason=reason, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _said(number, state == verbs.LIVE), back=back)


@login_required
@require_POST
def reject(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    by = found.caller(request)
    model = _model(found.application(by, org, name, access.OPERATE), number)
    reason = request.POST.get("reason", "").strip()[:500] or f"Rejected by {by.username}."
    try:
        verbs.reject(model=model, by=by.actor, reason=reason, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back(org, name))
    said = _("Version {number} is rejected; the live one stays.").format(number=number)
    return answers.done(request, said, back=_back(org, name))


@login_required
@require_POST
def rollback(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Back to the version that was live before, or to the one that is named. Undone by going back again."""
    by = found.caller(request)
    application = found.application(by, org, name, access.OPERATE)
    wanted = request.POST.get("to") or request.POST.get("action") or ""
    reason = request.POST.get("reason", "").strip()[:500] or f"Rolled back by {by.username}."
    before = models.live(application)
    to = int(wanted) if wanted.isdecimal() else None
    try:
        model = verbs.rollback(application=application, to=to, by=by.actor, reason=reason, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back(org, name))
    is_live = model.state == states.ACTIVE
    undo: dict[str, Any] = {"undo": {"url": request.path, "action": str(before.number)}} if before and is_live else {}
    return answers.done(request, _said(model.number, is_live), back=_back(org, name), **undo)


def _said(number: int, is_live: bool) -> str:
    if is_live:
        return _("Version {number} is live.").format(number=number)
    return _("Version {number} takes over as soon as a process of it is ready.").format(number=number)


def _model(application: Application, number: int) -> ModelVersion:
    row = models.by_number(application, number)
    if row is None:
        raise Http404("No such version.")
    return row


def _back(org: str, name: str) -> str:
    return reverse("panel:application", args=[org, name]) + "?tab=models"
