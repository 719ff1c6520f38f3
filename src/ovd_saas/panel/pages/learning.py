"""Learning: when and why an application learns, its runs, and one of them while it goes on. Floor 3."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import learning_runs as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, figures, found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import learning_runs as states
from ovd_saas.panel import learning_words
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import learning_runs, panel, received, triggers
from ovd_saas.store.records import Application, LearningEvent, LearningRun

PER_PAGE = 15
LOG = 60_000  # characters at the end of a log that a page shows
TAIL = 4_000  # likewise, of the run that is open, on the page of its application


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    run = learning_runs.open_run(row)
    manifest = row.release.manifest if row.release else {}
    kind = request.GET.get("kind", "")
    decision = request.GET.get("decision", "")
    before, seen = request.GET.get("before") or None, request.GET.get("seen") or None
    return {
        "rules": learning_words.rules(manifest),
        "why_not": why_not(row, run),
        "lookout": panel.lookout(row),
        "latest": panel.latest_evaluations(row),
        "run": run,
        **(going(run, TAIL) if run else {}),
        "awaiting": learning_runs.awaiting(row),
        "runs": learning_runs.recent(row, before=before, limit=PER_PAGE),
        "is_first": before is None,
        "metric": learning_words.metric_of(manifest, {}),
        "evaluations": triggers.of(row, before=seen, limit=PER_PAGE, kind=kind or None, decision=decision or None),
        "is_newest": seen is None,
        "kinds": [(name, look.word, name == kind) for name, look in looks.TRIGGERS.items()],
        "decisions": [(name, look.word, name == decision) for name, look in looks.DECISIONS.items()],
        "kind": kind,
        "decision": decision,
    }


TAB = Tab("learning", _("Learning"), "school", tab, of_learning=True, scripts="panel/application/figure_scripts.html")


def why_not(row: Application, run: LearningRun | None) -> str:
    """Why it cannot be made to learn now; empty when it can."""
    try:
        verbs.check_learning(row)
    except verbs.NotLearning as refusal:
        return refusal.detail
    if not received.is_any(row):
        return "There is nothing to learn from yet: no data has come."
    if run is not None:
        word = looks.of(looks.LEARNING_RUNS, run.status).word
        return f"Learning run {run.number} is {word}; another can begin when it has ended."
    return ""


def going(run: LearningRun, log: int) -> dict[str, Any]:
    """How a run goes: its curves and the end of its log."""
    text = learning_runs.log(run.pk)
    return {
        "curves": [
            {
                "name": name,
                "last": points[-1].value,
                "figure": figures.curve(name, [(one.step, one.value) for one in points]),
            }
            for name, points in learning_runs.curves(run.pk).items()
        ],
        "log": text[-log:],
        "log_is_cut": len(text) > log,
    }


@login_required
@require_safe
def show(request: HttpRequest, id_: UUID) -> HttpResponse:
    """One run: how it went or goes, from what, to what, and what the gate said."""
    by = found.caller(request)
    row = _run(by, id_)
    application = row.application
    org = application.organisation.slug
    is_open = row.status in states.OPEN
    may_operate = access.may(by, access.OPERATE, org)
    gate = row.gate or {}
    events = panel.status_events(row)
    context = {
        "here": "applications",
        "application": application,
        "run": row,
        "is_open": is_open,
        "is_final": row.status in states.FINAL,
        "is_awaiting": row.status == states.AWAITING,
        "may_operate": may_operate,
        "may_cancel": is_open and may_operate,
        "steps": _steps(row, events),
        "events": events,
        "batches": learning_runs.batches_of(row),
        "metrics": learning_words.shown_metrics(row.metrics, str(gate.get("metric", ""))),
        "gate": gate,
        "verdict": figures.improvement(gate) if gate else None,
        "limits": _limits(gate),
        "processes": panel.processes_of_run(row),
        "digests": _digests(row),
        **going(row, LOG),
    }
    return shown(request, "panel/run", context)


_WAY = {states.QUEUED: "queued", states.RUNNING: "learning", states.EVALUATING: "judged"}
_AT = {states.PAUSED: states.RUNNING}  # a state that is no step of its own -> the step it belongs to


def _steps(row: LearningRun, events: list[LearningEvent]) -> list[dict[str, Any]]:
    """The way of a run, and where it is; one that failed or was cancelled did not go all of it."""
    at = _AT.get(row.status, row.status)
    been = {event.body.get("status") for event in events} | {states.QUEUED}
    steps = [
        {"word": word, "is_done": step in been and step != at, "is_now": step == at} for step, word in _WAY.items()
    ]
    return [*steps, {"word": _END.get(row.status, "live or not"), "is_done": False, "is_now": at not in _WAY}]


_END = {
    states.PROMOTED: "live",
    states.REJECTED: "rejected",
    states.AWAITING: "awaits approval",
    states.FAILED: "failed",
    states.CANCELLED: "cancelled",
}
_LIMITS = {"size_mb": ("Size of the model", "MB"), "seconds": ("Time of one execution", "s")}


def _limits(gate: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    """The declared limits beside what was measured: (what, measured, limit, unit)."""
    limits = gate.get("limits") or {}
    both = ((name, limits.get(name) or {}) for name in _LIMITS)
    return [
        (_LIMITS[name][0], one["value"], one["limit"], _LIMITS[name][1])
        for name, one in both
        if one.get("limit") and one.get("value") is not None
    ]


def _digests(row: LearningRun) -> list[tuple[str, str]]:
    order = ("release", "environment", "snapshot", "parent", "candidate")
    names = [*order, *(name for name in row.digests if name not in order)]
    return [(name.capitalize(), row.digests[name]) for name in names if row.digests.get(name)]


@login_required
@require_safe
def numbered(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """A run by its number, as the timeline names it."""
    row = learning_runs.by_number(found.application(found.caller(request), org, name), number)
    if row is None:
        raise Http404("No such learning run.")
    return HttpResponseRedirect(reverse("panel:learning_run", args=[row.pk]))


@login_required
@require_POST
def begin(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Learn now."""
    by = found.caller(request)
    application = found.application(by, org, name, access.OPERATE)
    back = reverse("panel:application", args=[org, name]) + "?tab=learning"
    try:
        run = verbs.submit(
            application=application,
            trigger="manual",
            cause=by.actor,
            reason=f"{by.username} asked for it.",
            by=by.actor,
            now=timezone.now(),
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, f"Learning run {run.number} is queued; it begins by itself.", back=back)


@login_required
@require_POST
def cancel(request: HttpRequest, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    row = _run(by, id_, access.OPERATE)
    back = reverse("panel:learning_run", args=[id_])
    try:
        verbs.cancel(run_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, f"Learning run {row.number} is cancelled; the live model stays.", back=back)


def _run(by: access.Caller, id_: UUID, verb: str = access.SEE) -> LearningRun:
    row = learning_runs.by_id(id_)
    if row is None or not access.may(by, access.SEE, row.application.organisation.slug):
        raise Http404("No such learning run.")
    found.demand(by, verb, row.application.organisation.slug)
    return row
