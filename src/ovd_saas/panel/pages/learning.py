"""Learning: when and why an application learns, its runs, and one of them while it goes on. Floor 3."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import learning_runs as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, figures, found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import learning_runs as states
from ovd_saas.panel import learning_words, run_words
from ovd_saas.panel.pages import models as versions
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import learning_runs, models, panel, received, triggers
from ovd_saas.store.records import Application, LearningEvent, LearningRun

PER_PAGE = 15
LOG = 60_000  # characters at the end of a log that a page shows
BATCHES = 100  # of a snapshot, listed one by one
TAIL = 4_000  # likewise, of the run that is open, on the page of its application


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    run = learning_runs.open_run(row)
    manifest = row.release.manifest if row.release else {}
    before, seen = request.GET.get("before") or None, request.GET.get("seen") or None
    kind, decision = request.GET.get("kind", ""), request.GET.get("decision", "")
    status, trigger = request.GET.get("status", ""), request.GET.get("trigger", "")
    statuses = [status] if status in looks.LEARNING_RUNS else []
    latest = panel.latest_evaluations(row)
    totals = received.totals(row)
    lookout = panel.lookout(row)
    return {
        "rules": learning_words.rules(manifest),
        "ways": learning_words.ways(manifest, {one.kind: one for one in latest}),
        "why_not": why_not(row, run),
        "lookout": lookout,
        "paused": triggers.paused(lookout) if lookout else None,
        "run": run,
        **(going(run, TAIL, _is_log(request)) if run else {}),
        "awaiting": [(one, versions.offers(one.candidate, row.model)) for one in learning_runs.awaiting(row)],
        "live": row.model,
        "now": _now(manifest, totals, learning_runs.usual_seconds(row)),
        "runs": learning_runs.recent(row, before=before, limit=PER_PAGE, statuses=statuses, trigger=trigger),
        "is_first": before is None,
        "run_statuses": [(name, look.word, name == status) for name, look in looks.LEARNING_RUNS.items()],
        "run_triggers": [(name, look.word, name == trigger) for name, look in looks.TRIGGERS.items()],
        "status": status,
        "trigger": trigger,
        **versions.compared(row),
        "evaluations": triggers.of(row, before=seen, limit=PER_PAGE, kind=kind or None, decision=decision or None),
        "is_newest": seen is None,
        "kinds": [(name, look.word, name == kind) for name, look in looks.TRIGGERS.items()],
        "decisions": [(name, look.word, name == decision) for name, look in looks.DECISIONS.items()],
        "kind": kind,
        "decision": decision,
    }


def _now(manifest: dict[str, Any], totals: received.Totals, usual: tuple[float, int] | None) -> dict[str, Any]:
    """What learning now would learn from, and how long it may take."""
    is_new = learning_words.manifest_part(manifest, "learn").get("data") == "new"
    return {"is_new": is_new, "samples": totals.pending if is_new else totals.samples, "pending": totals.pending,
            "took": run_words.took(usual)}  # fmt: skip


def _is_log(request: HttpRequest) -> bool:
    return request.GET.get("scale") == "log"


TAB = Tab(
    "learning",
    gettext_lazy("Learning"),
    "school",
    tab,
    of_learning=True,
    scripts="panel/application/figure_scripts.html",
)


def why_not(row: Application, run: LearningRun | None) -> str:
    """Why it cannot be made to learn now; empty when it can."""
    try:
        verbs.check_learning(row)
    except verbs.NotLearning as refusal:
        return refusal.detail
    if not received.is_any(row):
        return _("There is nothing to learn from yet: no data has come.")
    if run is not None:
        word = looks.of(looks.LEARNING_RUNS, run.status).word
        said = _("Learning run {number} is {word}; another can begin when it has ended.")
        return said.format(number=run.number, word=word)
    return ""


MUCH = 20.0  # times the smallest value of a curve, from which on a logarithmic scale shows more


def going(run: LearningRun, log: int, is_log: bool) -> dict[str, Any]:
    """How a run goes: its curves and the end of its log."""
    text = learning_runs.log(run.pk)
    told = learning_runs.curves(run.pk)
    values = [[one.value for one in points] for points in told.values()]
    return {
        "curves": [
            {
                "name": name,
                "last": points[-1].value,
                "best": (min(one.value for one in points), max(one.value for one in points)),
                "figure": figures.curve(name, [(one.step, one.value) for one in points], is_log=is_log),
            }
            for name, points in told.items()
        ],
        "is_log": is_log,
        "may_log": is_log or any(min(some) > 0 and max(some) / min(some) >= MUCH for some in values),
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
    events = learning_runs.story(row.pk)
    live = models.live(application)
    candidate = row.candidate
    context = {
        "here": "applications",
        "application": application,
        "run": row,
        "is_open": is_open,
        "is_final": row.status in states.FINAL,
        "may_operate": may_operate,
        "may_cancel": is_open and may_operate,
        "why_not_again": _why_not_again(row) if may_operate and not is_open else "-",
        "offers": versions.offers(candidate, live) if may_operate and row.status == states.AWAITING else [],
        "one": candidate,
        "live": live,
        "told": run_words.story(
            row, usual=learning_runs.usual_seconds(application) if is_open else None, live=live.number if live else None
        ),
        "steps": _steps(row, [event for event in events if event.kind == "status"]),
        "events": events,
        "data": _data(row),
        "metrics": learning_words.shown_metrics(row.metrics, str(gate.get("metric", ""))),
        "gate": gate,
        "verdict": figures.improvement(gate) if gate else None,
        "both": run_words.both(gate),
        "pairs": run_words.pairs(gate),
        "limits": _limits(gate),
        "processes": panel.processes_of_run(row),
        "digests": _digests(row),
        "evaluations": learning_runs.evaluations(row),
        "stretches": models.stretches_of([candidate])[candidate.pk] if candidate else [],
        **going(row, LOG, _is_log(request)),
    }
    return shown(request, "panel/run", context)


def _why_not_again(row: LearningRun) -> str:
    """Why nobody can have it learn again now; empty when one can, "-" where it is not of interest."""
    if row.status not in (states.FAILED, states.CANCELLED, states.REJECTED):
        return "-"
    return why_not(row.application, learning_runs.open_run(row.application))


def _data(row: LearningRun) -> dict[str, Any] | None:
    """What it learned from."""
    if row.snapshot is None:
        return None
    batches = learning_runs.snapshot_batches(row)
    return {
        "stretches": run_words.stretches([number for number, _samples in batches]),
        "count": len(batches),
        "latest": batches[-BATCHES:][::-1],
        "rule": row.snapshot.rule,
    }


_WAY = {
    states.QUEUED: gettext_lazy("queued"),
    states.RUNNING: gettext_lazy("learning"),
    states.EVALUATING: gettext_lazy("judged"),
}
_AT = {states.PAUSED: states.RUNNING}  # a state that is no step of its own -> the step it belongs to


def _steps(row: LearningRun, events: list[LearningEvent]) -> list[dict[str, Any]]:
    """The way of a run, and where it is; one that failed or was cancelled did not go all of it."""
    at = _AT.get(row.status, row.status)
    been = {event.body.get("status") for event in events} | {states.QUEUED}
    steps = [
        {"word": word, "is_done": step in been and step != at, "is_now": step == at} for step, word in _WAY.items()
    ]
    return [
        *steps,
        {"word": _END.get(row.status, gettext_lazy("live or not")), "is_done": False, "is_now": at not in _WAY},
    ]


_END = {
    states.PROMOTED: gettext_lazy("live"),
    states.REJECTED: gettext_lazy("rejected"),
    states.AWAITING: gettext_lazy("awaits approval"),
    states.FAILED: gettext_lazy("failed"),
    states.CANCELLED: gettext_lazy("cancelled"),
}
_LIMITS = {
    "size_mb": (gettext_lazy("Size of the model"), "MB"),
    "seconds": (gettext_lazy("Time of one execution"), "s"),
}


def _limits(gate: dict[str, Any]) -> list[tuple[Any, float, float, str]]:
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
    said = _("Learning run {number} is queued; it begins by itself.").format(number=run.number)
    return answers.done(request, said, back=back)


@login_required
@require_POST
def again(request: HttpRequest, id_: UUID) -> HttpResponse:
    """Learn once more, after a run that came to nothing: from the data that is there now."""
    by = found.caller(request)
    row = _run(by, id_, access.OPERATE)
    try:
        run = verbs.submit(
            application=row.application,
            trigger="manual",
            cause=by.actor,
            reason=f"{by.username} asked for it, after run {row.number}.",
            by=by.actor,
            now=timezone.now(),
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=reverse("panel:learning_run", args=[id_]))
    said = _("Learning run {number} is queued; it begins by itself.").format(number=run.number)
    return answers.done(request, said, back=reverse("panel:learning_run", args=[run.pk]), leave=True)


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
    said = _("Learning run {number} is cancelled; the live model stays.").format(number=row.number)
    return answers.done(request, said, back=back)


def _run(by: access.Caller, id_: UUID, verb: str = access.SEE) -> LearningRun:
    row = learning_runs.by_id(id_)
    if row is None or not access.may(by, access.SEE, row.application.organisation.slug):
        raise Http404("No such learning run.")
    found.demand(by, verb, row.application.organisation.slug)
    return row
