"""Triggers: look at what makes learning due, take notice of new data, pause and resume. Floor 2.

A look is one transaction with the application's row locked: what it decided, what it wrote down and the run that it
made stand or fall together, so that dying anywhere in it costs nothing but looking again.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction

from ovd.schema import FieldError
from ovd_saas.appcore import editions, learning_runs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import learning, service, status, triggers
from ovd_saas.domain.outlook import next_event
from ovd_saas.domain.triggers import Rule, Verdict
from ovd_saas.store import facts, transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import triggers as queries
from ovd_saas.store.queries.triggers import Seen
from ovd_saas.store.records import Application, LearningRun, Lookout, TriggerEvaluation

LONGEST_CAUSE = 200  # characters
LONGEST_REASON = 300  # likewise
_PULL = "pull"  # in Lookout.said: the evaluation of the last notice that named a source


class UnknownSource(Refusal):
    """The manifest declares no source of that address."""

    code = "unknown_source"
    http = 422


class Paused(Refusal):
    """Somebody has paused the triggers already."""

    code = "already_paused"


class NotPaused(Refusal):
    """The triggers are not paused."""

    code = "not_paused"


def look(application_id: int, now: datetime) -> LearningRun | None:
    """Afterwards every trigger of the application was looked at as of `now`, with a row for each verdict that is new;
    if any was due, one learning run is queued, which answers all that were. Returns that run."""
    with transaction.atomic():
        application = _locked(application_id)
        run = _look(application, now) if application is not None else None
    if application is not None and run is None:  # where a run is due, the plan says what is next
        _say_what_is_next(application, now)
    return run


def notice(*, application: Application, by: str, note: str, source: str | None, now: datetime) -> TriggerEvaluation:
    """Afterwards AppCore knows that new data arrived, and what came of it is on record.

    With a `source` of the manifest, that is pulled, and what it brings counts as new data. Without one learning is due
    as soon as nothing is in its way; sources that the manifest declares are pulled before. Raises NotLearning,
    UnknownSource.
    """
    waiting = queries.waiting_notice(application.pk) if source is None else None
    return waiting or _take_notice(application, by=by, note=note, source=source, now=now)


def pause(*, application: Application, by: str, reason: str, now: datetime) -> Lookout:
    """Afterwards nothing but a person makes it learn: data, schedule, drift and notices are looked at and put off. A
    run that is open goes on. `reason` may be empty. Raises NotLearning, Paused."""
    with transaction.atomic():
        locked = _that_learns(application)
        lookout = _lookout(locked)
        if lookout.paused_at is not None:
            who = lookout.paused_by.removeprefix("user:")
            raise Paused(f"{who} has paused what makes {locked.address} learn already. Resume it first.")
        lookout.paused_at, lookout.paused_by = now, by
        lookout.pause_reason = reason.strip()[:LONGEST_REASON]
        lookout.save(update_fields=["paused_at", "paused_by", "pause_reason"])
        _look(locked, now)
        said = f": {lookout.pause_reason}" if lookout.pause_reason else "."
        reason = f"{by.removeprefix('user:')} paused what makes it learn{said}"
        transitions.record(locked.pk, "triggers", "watched", "paused", "pause", reason=reason, now=now, actor=by)
        notify("trigger", application=locked.pk)
    _say_what_is_next(locked, now)
    return lookout


def resume(*, application: Application, by: str, now: datetime) -> LearningRun | None:
    """Afterwards what came meanwhile is looked at, and makes a run due if it is enough; that run is returned. Moments
    of the schedule that passed meanwhile are not made up for. Raises NotLearning, NotPaused."""
    with transaction.atomic():
        locked = _that_learns(application)
        lookout = _lookout(locked)
        if lookout.paused_at is None:
            raise NotPaused(
                f"What makes {locked.address} learn is not paused: somebody has resumed it, or nobody paused."
            )
        lookout.paused_at, lookout.paused_by, lookout.pause_reason = None, "", ""
        lookout.save(update_fields=["paused_at", "paused_by", "pause_reason"])
        if lookout.schedule:
            _schedule_until(locked, now)
        reason = f"{by.removeprefix('user:')} resumed what makes it learn."
        transitions.record(locked.pk, "triggers", "paused", "watched", "resume", reason=reason, now=now, actor=by)
        run = _look(locked, now)
        notify("trigger", application=locked.pk)
    if run is None:
        _say_what_is_next(locked, now)
    return run


def _that_learns(application: Application) -> Application:
    """Locked. Raises NotLearning."""
    locked = _locked(application.pk)
    assert locked is not None
    if locked.status == status.RETIRED or not _learns(locked):
        learning_runs.check_learning(locked)
    return locked


@transaction.atomic
def _take_notice(
    application: Application, *, by: str, note: str, source: str | None, now: datetime
) -> TriggerEvaluation:
    locked = _locked(application.pk)
    assert locked is not None
    if locked.status != status.SUSPENDED or not _learns(locked):  # suspended: it is kept until somebody enables it
        learning_runs.check_learning(locked)
    assert locked.release is not None
    declared = [found["address"] for found in locked.release.manifest["learn"].get("sources") or ()]
    if source is not None and source not in declared:
        raise _unknown(locked, source, declared)
    changed: dict[str, Any] = {"pull_asked_at": now} if declared else {}
    if source is None and locked.noticed_at is None:
        changed |= {"noticed_at": now, "notice": {"by": by, "note": note, "pulls": bool(declared)}}
    if changed:
        Application.objects.filter(pk=locked.pk).update(**changed)
        notify("trigger", application=locked.pk)
    if source is not None:
        return _note_pull(locked, source, now)
    for name, value in changed.items():
        setattr(locked, name, value)
    _look(locked, now)
    said = Lookout.objects.values_list("said", flat=True).get(pk=locked.pk)
    return queries.by_id(said[triggers.NOTICE]["id"])


def _locked(application_id: int) -> Application | None:
    with suppress(Application.DoesNotExist):
        return editions.locked(application_id)
    return None


def _learns(application: Application) -> bool:
    return application.release is not None and triggers.rule_of(application.release.manifest) is not None


def _unknown(application: Application, source: str, declared: Sequence[str]) -> UnknownSource:
    known = f"It declares {', '.join(declared)}." if declared else "It declares none; leave the source out."
    return UnknownSource(
        f"Source {source!r}: {application.address} declares no such source in [learn]. {known}",
        errors=[FieldError("source", known)],
    )


def _note_pull(application: Application, source: str, now: datetime) -> TriggerEvaluation:
    """A notice that names a source makes nothing due itself: what the source brings does."""
    reason = "Waits until the source is pulled; what it brings counts as new data."
    verdict = Verdict(triggers.NOTICE, triggers.WAITS, reason, f"source {source}")
    lookout = _lookout(application)
    kept = lookout.said.get(_PULL)
    if application.pull_asked_at is None or kept is None or not _is_said(verdict, kept):
        lookout.said[_PULL] = _record(application, verdict, None, now)
        lookout.save(update_fields=["said"])
    return queries.by_id(lookout.said[_PULL]["id"])


def _look(application: Application, now: datetime) -> LearningRun | None:
    """What `look` promises; the application is locked."""
    rule = triggers.rule_of(application.release.manifest) if application.release is not None else None
    if rule is None or application.status == status.RETIRED:
        learns_no_more = {"learns": False, "look_at": None, "is_held": False, "next_what": "", "next_at": None}
        rows = Lookout.objects.filter(application=application)
        rows.update(release_id=application.release_id, **learns_no_more)
        return None
    lookout = _lookout(application)
    before = _values(lookout)
    _keep_schedule(application, lookout, rule, now)
    seen = queries.seen(application, lookout, rule)
    verdicts = triggers.look(rule, seen.facts, now=now)
    run = _submit(application, verdicts, now)
    if any(verdict.is_used_up for verdict in verdicts):
        _schedule_until(application, now)
    _record_new(application, lookout, verdicts, run, now)
    _look_up_to(lookout, application, rule, seen, verdicts)
    if _values(lookout) != before:
        lookout.save()
    return run


def _lookout(application: Application) -> Lookout:
    application.lookout = Lookout.objects.get_or_create(application=application)[0]
    return application.lookout


def _values(lookout: Lookout) -> dict[str, Any]:
    return {field.attname: _frozen(getattr(lookout, field.attname)) for field in Lookout._meta.concrete_fields}


def _frozen(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _keep_schedule(application: Application, lookout: Lookout, rule: Rule, now: datetime) -> None:
    """A schedule counts from when it was first seen: a new one, or a changed one, has missed nothing."""
    schedule = f"{rule.schedule} {rule.time_zone}" if rule.schedule else ""
    if schedule != lookout.schedule or application.scheduled_until is None:
        lookout.schedule = schedule
        _schedule_until(application, now)


def _schedule_until(application: Application, now: datetime) -> None:
    application.scheduled_until = now
    Application.objects.filter(pk=application.pk).update(scheduled_until=now)


def _submit(application: Application, verdicts: Sequence[Verdict], now: datetime) -> LearningRun | None:
    """One run for all verdicts that are due; None when none is."""
    due = [verdict for verdict in verdicts if verdict.decision == triggers.DUE]
    if not due:
        return None
    by = (application.notice or {}).get("by") if due[0].kind == triggers.NOTICE else None
    run = learning_runs.submit(
        application=application, trigger=due[0].kind, cause=due[0].cause[:LONGEST_CAUSE],
        reason=" ".join(_sentence(verdict.reason) for verdict in due), by=by or "appcore", now=now,
    )  # fmt: skip
    _schedule_until(application, now)
    return run


def _sentence(reason: str) -> str:
    """ "Due: 5 new samples have arrived." without its first word."""
    said = reason.removeprefix("Due: ")
    return said[:1].upper() + said[1:]


def _record_new(
    application: Application, lookout: Lookout, verdicts: Sequence[Verdict], run: LearningRun | None, now: datetime
) -> None:
    """A row for each verdict that is due, or differs from the last one of its kind."""
    new = [v for v in verdicts if v.decision == triggers.DUE or not _is_said(v, lookout.said.get(v.kind))]
    if new:
        made = {v.kind: _record(application, v, run if v.decision == triggers.DUE else None, now) for v in new}
        lookout.said = {**lookout.said, **made}
        queries.prune(application.pk, kept=[said["id"] for said in lookout.said.values()])
        notify("trigger", application=application.pk)


def _is_said(verdict: Verdict, kept: dict[str, Any] | None) -> bool:
    said = (verdict.decision, verdict.reason, verdict.cause[:LONGEST_CAUSE])
    return kept is not None and (kept["decision"], kept["reason"], kept["cause"]) == said


def _record(application: Application, verdict: Verdict, run: LearningRun | None, now: datetime) -> dict[str, Any]:
    row = TriggerEvaluation.objects.create(
        application=application, kind=verdict.kind, decision=verdict.decision, reason=verdict.reason,
        cause=verdict.cause[:LONGEST_CAUSE], run=run, again_at=verdict.again_at, at=now,
    )  # fmt: skip
    return {"id": row.pk, "decision": row.decision, "reason": row.reason, "cause": row.cause}


def _look_up_to(
    lookout: Lookout, application: Application, rule: Rule, seen: Seen, verdicts: Sequence[Verdict]
) -> None:
    """How far this look went, and when the next one is due by itself."""
    waits = [verdict for verdict in verdicts if verdict.decision == triggers.WAITS]
    due = {verdict.kind for verdict in verdicts if verdict.decision == triggers.DUE}
    lookout.learns, lookout.release_id = True, application.release_id
    lookout.batch, lookout.drift = seen.batch, seen.drift
    if triggers.DATA in due and seen.facts.news is not None:
        lookout.used = seen.facts.news.last
    lookout.look_at = min((verdict.again_at for verdict in verdicts if verdict.again_at is not None), default=None)
    blocked = any(verdict.again_at is None for verdict in waits)
    lookout.is_held = bool(due) or seen.facts.open_run is not None or blocked
    outlook = triggers.next_of(rule, seen.facts, verdicts)
    lookout.next_what = outlook.what if outlook is not None else ""
    lookout.next_at = outlook.at if outlook is not None else None


def _say_what_is_next(application: Application, now: datetime) -> None:
    """The outlook of an application at rest: no plan is made for one that nothing wakes and that does not learn."""
    states = (application.status, application.service, application.learning)
    if states != (status.ENABLED, service.ASLEEP, learning.RESTING) or not _learns(application):
        return
    lookout = application.lookout
    if lookout.next_what and (lookout.next_what, lookout.next_at) == (application.next_what, application.next_at):
        return
    for found in facts.of([application.pk], runner_up=True):
        if found.observed.service != service.ASLEEP or found.observed.queued or found.observed.processes:
            return
        if found.desired.wake_asked:
            return
        outlook = next_event(found.desired, found.observed, now=now)
        if (outlook.what, outlook.at) != (found.application.next_what, found.application.next_at):
            rows = Application.objects.filter(pk=application.pk, service=service.ASLEEP)
            rows.update(next_what=outlook.what, next_at=outlook.at)
            notify("application", id=application.pk)
