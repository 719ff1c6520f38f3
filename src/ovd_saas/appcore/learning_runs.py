"""Learning runs: make one due, begin, pause, end, cancel. Floor 2: may use store, files, engines, domain.

Whoever attends a run holds its lease; every write of a result names it, so that one who was thought dead and comes
back changes nothing.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F

from ovd_saas.appcore import editions, loose_files, snapshots
from ovd_saas.appcore import models as versions
from ovd_saas.appcore.executions import LARGEST_SEED, new_id
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import learning, learning_runs, models, status, triggers
from ovd_saas.domain.demand import retry_delay
from ovd_saas.files import Stored
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, LearningEvent, LearningRun, ModelVersion, TriggerEvaluation

LEASE = timedelta(seconds=10)
LOSSES = 2  # how often a run whose process was lost is begun again, whatever the manifest says


class Wanted(NamedTuple):
    """What whoever attends a run has to know."""

    run: str  # its state
    region: str  # state of the learning region of its application
    application: str  # status


class NotLearning(Refusal):
    """The application does not learn: it is execute-only, not enabled, or has no ready release."""

    code = "not_learning"


class AlreadyEnded(Refusal):
    """The learning run has its final state."""

    code = "already_finished"


class AlreadyLearning(Refusal):
    """The application has an open learning run."""

    code = "already_learning"


@transaction.atomic
def submit(*, application: Application, trigger: str, cause: str, reason: str, by: str, now: datetime) -> LearningRun:
    """Afterwards a learning run is queued, the application's learning region is `due`, and AppCore has been told.

    `trigger` is schedule, data, notice, drift or manual; `cause` names what it was, `reason` is a sentence for people,
    `by` an actor. What a notice asked for is answered by this run. Raises NotLearning, AlreadyLearning.
    """
    application = editions.locked(application.pk)
    check_learning(application)
    last = application.learning_runs.order_by("-number").first()
    if application.learning_runs.filter(status__in=learning_runs.OPEN).exists():
        assert last is not None
        raise AlreadyLearning(
            f"Learning run {last.number} of {application.address} is {last.status}. Wait for its end."
        )
    run = LearningRun.objects.create(
        id=new_id(), application=application, number=(last.number if last else 0) + 1, trigger=trigger, cause=cause,
        reason=reason, seed=secrets.randbelow(LARGEST_SEED), created_at=now, created_by=by,
    )  # fmt: skip
    body = {"status": learning_runs.QUEUED, "reason": reason}
    LearningEvent.objects.create(run=run, kind="status", body=body, at=now)
    if trigger == triggers.MANUAL:
        TriggerEvaluation.objects.create(
            application=application, kind=trigger, decision=triggers.DUE, reason=f"Due: {reason}", cause=cause, run=run,
            at=now,
        )  # fmt: skip
    transitions.move(
        application.pk, "learning", learning.TRIGGER, reason=reason, now=now, source=learning.RESTING, actor=by,
        cause=f"learning-run:{run.number}", noticed_at=None, notice=None,
    )  # fmt: skip
    notify("learning", application=application.pk, run=run.pk)
    return run


def check_learning(application: Application) -> None:
    """Raises NotLearning with the reason; nothing when it may learn. Read it with `select_related("release")`."""
    if application.status != status.ENABLED:
        never = "it learns no more; what it has learned stays readable"
        why = never if application.status == status.RETIRED else "it learns when it is enabled"
        raise NotLearning(f"{application.address} is {application.status}; {why}.")
    if application.release is None:
        raise NotLearning(f"{application.address} has no ready release. Push one.")
    if application.release.manifest.get("learn") is None:
        raise NotLearning(
            f"{application.address} does not learn: its manifest has no table [learn]. It can only be executed."
        )


@transaction.atomic
def cancel(*, run_id: UUID, by: str, now: datetime, reason: str = "") -> LearningRun:
    """Afterwards the run is cancelled; what it was the first to take is pending again; its process is stopped, and a
    result that still comes is refused. Raises NotFound, AlreadyEnded."""
    if not LearningRun.objects.filter(pk=run_id).exists():
        raise NotFound(f"There is no learning run {run_id}.")
    reason = reason or f"Cancelled by {by.removeprefix('user:')}."
    if not transitions.learning_run(run_id, learning_runs.CANCEL, reason=reason, now=now, actor=by, lease_until=None):
        found = LearningRun.objects.get(pk=run_id)
        raise AlreadyEnded(f"Learning run {found.number} is {found.status} already.")
    found = LearningRun.objects.get(pk=run_id)
    _give_up(found, reason, now)
    return found


def cancel_open(*, application: Application, by: str, reason: str, now: datetime) -> bool:
    """Afterwards nothing is learned there any more; whether something was."""
    open_ = application.learning_runs.filter(status__in=learning_runs.OPEN).first()
    if open_ is None:
        return False
    try:
        cancel(run_id=open_.pk, by=by, now=now, reason=reason)
    except AlreadyEnded:
        return False
    return True


@transaction.atomic
def begin(run: LearningRun, *, application: Application, now: datetime) -> LearningRun | None:
    """Afterwards it is running under a new lease, from its checkpoint if there is one; None: somebody was faster.

    Its release, and the live version as its parent, are those of the first attempt.
    """
    assert application.release is not None
    values: dict[str, Any] = {}
    if run.snapshot_id is None:
        values = {"release": application.release, "parent_id": application.model_id}
    if run.started_at is None:
        values["started_at"] = now
    reason = "It goes on from its checkpoint." if run.checkpoint else "It learns."
    begun = transitions.learning_run(
        run.pk, learning_runs.BEGIN, reason=reason, now=now, lease=run.lease, followed=0, retry_at=None, process=None,
        lease_until=now + LEASE, attempts=run.attempts + 1, progress=None, error=None, **values,
    )  # fmt: skip
    return take_lease(run.pk, now=now) if begun else None


def wait(run: LearningRun, *, reason: str) -> None:
    """Afterwards people read why it has not begun."""
    waiting = LearningRun.objects.filter(pk=run.pk, status__in=(learning_runs.QUEUED, learning_runs.PAUSED))
    if waiting.exclude(reason=reason).update(reason=reason):
        notify("learning", application=run.application_id, run=run.pk)


def take_lease(run_id: UUID, *, now: datetime) -> LearningRun:
    """The run under a new lease: whoever held the old one can write no more."""
    LearningRun.objects.filter(pk=run_id).update(lease=F("lease") + 1, lease_until=now + LEASE)
    rows = LearningRun.objects.select_related("application__organisation", "release", "snapshot", "parent", "candidate")
    return rows.get(pk=run_id)


def keep_lease(run: LearningRun, *, now: datetime) -> Wanted | None:
    """What is wanted of the run; None: the lease is somebody else's."""
    held = LearningRun.objects.filter(pk=run.pk, lease=run.lease)
    if not held.update(lease_until=now + LEASE):
        return None
    found = held.values_list("status", "application__learning", "application__status").first()
    return Wanted(*found) if found is not None else None


def pause(run: LearningRun, *, reason: str, now: datetime) -> bool:
    """It gave way; it goes on when its application sleeps."""
    return bool(_move(run, learning_runs.PAUSE, reason=reason, now=now, process=None, lease_until=None))


def lose(run: LearningRun, *, reason: str, counts: bool, now: datetime) -> bool:
    """Its process was lost. It begins again, from its checkpoint; lost too often, it fails. A loss that is the
    platform's own fault does not count. False: the lease was somebody else's."""
    allowed = max(LOSSES, _retries(run))
    return _again(run, reason, allowed, counts=counts, code="lost", now=now)


def fail(
    run: LearningRun, *, code: str, message: str, traceback: str = "", now: datetime, may_retry: bool = True
) -> bool:
    """It failed by itself. It is tried again as often as its author allows, after growing pauses; then it has failed:
    the active model stays, and what it was the first to take is pending again."""
    allowed = _retries(run) if may_retry else 0
    return _again(run, message, allowed, counts=True, code=code, traceback=traceback, now=now)


@transaction.atomic
def _again(
    run: LearningRun, why: str, allowed: int, *, counts: bool, code: str, now: datetime, traceback: str = ""
) -> bool:
    failures = run.failures + counts
    error = {"code": code, "message": why, **({"traceback": traceback} if traceback else {})}
    if (failures <= allowed or not counts) and run.status == learning_runs.RUNNING:
        pause = retry_delay(failures) if counts else timedelta(0)
        reason = f"{why} It is tried again{f' in {pause.total_seconds():g} s' if pause else ''}."
        return bool(_move(
            run, learning_runs.REQUEUE, reason=reason, now=now, failures=failures, retry_at=now + pause, error=error,
            process=None,
        ))  # fmt: skip
    if not _move(run, learning_runs.FAIL, reason=why, now=now, failures=failures, error=error):
        return False
    _give_up(run, why, now)
    return True


@transaction.atomic
def keep_candidate(
    run: LearningRun, *, stored: Stored, metrics: dict[str, float], seconds: float | None, now: datetime
) -> ModelVersion | None:
    """Afterwards the model is a candidate and the run is evaluating; None: the lease was somebody else's."""
    Application.objects.select_for_update().get(pk=run.application_id)
    assert run.release_id is not None
    last = ModelVersion.objects.filter(application=run.application_id).order_by("-number").first()
    candidate = ModelVersion.objects.create(
        application_id=run.application_id, number=(last.number if last else 0) + 1, digest=stored.digest,
        size=stored.size, run=run, parent_id=run.parent_id, snapshot_id=run.snapshot_id, release_id=run.release_id,
        reason="It waits for the gate.", created_at=now,
    )  # fmt: skip
    digests = {**run.digests, "candidate": stored.digest}
    moved = _move(
        run, learning_runs.EVALUATE, reason=f"Version {candidate.number} is learned; the gate judges it.", now=now,
        candidate=candidate, metrics=metrics, seconds=seconds, digests=digests, progress=None, process=None,
    )  # fmt: skip
    if not moved:
        transaction.set_rollback(True)
        return None
    _drop_checkpoint(run, now)
    notify("model", application=run.application_id)
    return candidate


@transaction.atomic
def reject(run: LearningRun, *, reason: str, now: datetime, gate: dict[str, Any] | None = None) -> bool:
    """The gate said no: the candidate is kept with the reason, and the active version stays."""
    if not _move(run, learning_runs.REJECT, reason=reason, now=now, gate=gate):
        return False
    if run.candidate is not None:
        transitions.model(run.candidate.pk, models.REJECT, reason=reason)
    return True


@transaction.atomic
def ask(run: LearningRun, *, reason: str, now: datetime, gate: dict[str, Any]) -> bool:
    """The gate passed, and a person has to approve."""
    if not _move(run, learning_runs.ASK, reason=reason, now=now, gate=gate):
        return False
    ModelVersion.objects.filter(run=run).update(reason=reason)
    return True


def note_gate(run: LearningRun, gate: dict[str, Any]) -> bool:
    """The verdict, before the candidate is promoted."""
    return bool(LearningRun.objects.filter(pk=run.pk, lease=run.lease).update(gate=gate))


def _move(run: LearningRun, event: str, *, reason: str, now: datetime, **values: Any) -> str | None:
    return transitions.learning_run(run.pk, event, reason=reason, now=now, lease=run.lease, **values)


def _give_up(run: LearningRun, reason: str, now: datetime) -> None:
    """Nothing was learned: a candidate that nobody judged, or that was about to take over, is rejected; its batches are
    pending again."""
    snapshots.give_back(run.pk)
    _drop_checkpoint(run, now)
    if run.candidate is None:
        return
    application = editions.locked(run.application_id)
    if application.upcoming_model_id == run.candidate.pk:
        versions.drop_upcoming(application=application, reason=reason, now=now)
    else:
        transitions.model(run.candidate.pk, models.REJECT, reason=reason)


def _drop_checkpoint(run: LearningRun, now: datetime) -> None:
    """Nobody goes on from it any more."""
    rows = LearningRun.objects.filter(pk=run.pk).exclude(checkpoint="")
    loose_files.let_go(rows.values_list("checkpoint", flat=True), now=now)
    rows.update(checkpoint="")


def _retries(run: LearningRun) -> int:
    learn = run.release.manifest.get("learn") if run.release else None
    return int((learn or {}).get("retries", 0))
