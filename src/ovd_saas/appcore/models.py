"""Model versions: promote, roll back, reject. Floor 2: may use store, files, engines, domain.

A version becomes live at once when nobody is served; else it is *upcoming* until a process with it is ready, so that no
request waits or fails. The ledger (`Promotion`) says which version was live when.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ovd_saas.appcore import editions
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import learning_runs, status
from ovd_saas.domain import models as states
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import models as queries
from ovd_saas.store.records import Application, LearningRun, ModelVersion, Promotion

LIVE = "live"
UPCOMING = "upcoming"
KIND_PROMOTE = "promote"
KIND_ROLLBACK = "rollback"

_A_TICK = timedelta(microseconds=1)
_JUDGED = (learning_runs.EVALUATING, learning_runs.AWAITING)


class NotPromotable(Refusal):
    """Only a candidate, or a version that was live before, can become live."""

    code = "model_not_promotable"


class StaleParent(NotPromotable):
    """The candidate was compared with a version that is not live any more."""

    code = "stale_parent"


class NothingToRollBackTo(Refusal):
    """No version was live before the current one."""

    code = "nothing_to_roll_back_to"


class NotRejectable(Refusal):
    """Only a candidate can be rejected."""

    code = "model_not_rejectable"


@transaction.atomic
def promote(
    *,
    application: Application,
    model: ModelVersion,
    by: str,
    reason: str,
    now: datetime,
    kind: str = KIND_PROMOTE,
    run: LearningRun | None = None,
) -> str:
    """Afterwards the version is live (`live`), or it takes over as soon as a process with it is ready (`upcoming`).

    `by` is an actor: "user:ana", "gate" or "bake"; `reason` a sentence for the ledger; `kind` promote or rollback;
    `run` the learning run that ends with it, by default the one that made the version. May be repeated. What was
    upcoming before gives way. Raises NotPromotable, StaleParent.
    """
    locked = editions.locked(application.pk)
    model = ModelVersion.objects.select_related("run").get(pk=model.pk, application=locked)
    if locked.upcoming_model_id == model.pk:
        return UPCOMING
    if locked.upcoming_model_id is not None and model.state == states.ACTIVE:
        _give_way(locked, f"Version {model.number} is to stay.", now)
        return LIVE
    _check(locked, model, kind)
    run = run or model.run
    reason = reason or f"Version {model.number} was chosen by {by.removeprefix('user:')}."
    _give_way(locked, f"Version {model.number} was chosen before it was live.", now)
    promotion = {"kind": kind, "actor": by, "reason": reason, "run": str(run.pk) if run else None}
    if not editions.is_served(locked) or editions.is_ready(locked, locked.release_id, model.pk):
        _take_over(locked, model, promotion, now)
        return LIVE
    Application.objects.filter(pk=locked.pk).update(
        upcoming_model=model, promotion=promotion, upcoming_failures=0, retry_at=None
    )
    notify("application", id=locked.pk)
    notify("model", application=locked.pk)
    return UPCOMING


def _check(application: Application, model: ModelVersion, kind: str) -> None:
    """Raises NotPromotable, StaleParent."""
    name = f"Version {model.number} of {application.address}"
    if application.status == status.RETIRED:
        raise NotPromotable(f"{application.address} is retired; its models stay as they are.")
    if application.release_id is None:
        raise NotPromotable(f"{application.address} has no ready release to serve a model with. Push one.")
    if model.state == states.ACTIVE:
        raise NotPromotable(f"{name} is live already.")
    if model.state == states.REJECTED:
        raise NotPromotable(f"{name} was rejected: {model.reason} Learn again to get another one.")
    if kind == KIND_ROLLBACK and model.state != states.RETIRED:
        raise NotPromotable(f"{name} was never live. Promote it, or roll back to one that was.")
    if model.state == states.CANDIDATE and model.parent_id != application.model_id:
        live = f"version {application.model.number} is live" if application.model else "no version is live"
        parent = f"version {model.parent.number}" if model.parent else "no version"
        raise StaleParent(f"{name} was compared with {parent}, but now {live}. Learn again from that one.")


def rollback(*, application: Application, to: int | None, by: str, reason: str, now: datetime) -> ModelVersion:
    """Afterwards an earlier version is live, or takes over as soon as a process with it is ready; returned is it.

    `to` is its number; None: the one that was live before the current one was first promoted. A new row of the ledger
    says so; nothing of the past changes. Raises NotFound, NotPromotable, NothingToRollBackTo.
    """
    with transaction.atomic():
        locked = editions.locked(application.pk)
        if to is None:
            target = queries.previous_live(locked)
            if target is None:
                raise NothingToRollBackTo(f"No version was live before the current one of {locked.address}.")
        else:
            target = ModelVersion.objects.filter(application=locked, number=to).first()
            if target is None:
                raise NotFound(f"{locked.address} has no model version {to}.")
        reason = reason or f"Rolled back to version {target.number} by {by.removeprefix('user:')}."
        promote(application=locked, model=target, by=by, reason=reason, now=now, kind=KIND_ROLLBACK)
    return ModelVersion.objects.get(pk=target.pk)


@transaction.atomic
def reject(*, model: ModelVersion, by: str, reason: str, now: datetime) -> ModelVersion:
    """Afterwards the candidate is rejected, and the run that awaited a decision as well. Raises NotRejectable."""
    application = editions.locked(model.application_id)
    model = ModelVersion.objects.select_related("run").get(pk=model.pk)
    if model.state != states.CANDIDATE:
        raise NotRejectable(f"Version {model.number} is {model.state}; only a candidate can be rejected.")
    reason = reason or f"Rejected by {by.removeprefix('user:')}."
    if application.upcoming_model_id == model.pk:
        _forget_upcoming(application)
    _reject(model, model.run, reason, now, by)
    model.refresh_from_db()
    return model


def take_over(*, application: Application, now: datetime) -> None:
    """Afterwards the upcoming version is live; called in a transaction that has locked the application
    (`editions.locked`), in the moment in which a process with it is ready or nobody is served."""
    model = application.upcoming_model
    if model is None:
        return
    promotion = application.promotion or {}
    run = _run_of(promotion)
    if model.state == states.REJECTED:
        drop_upcoming(application=application, reason=model.reason, now=now)
        return
    if model.state == states.CANDIDATE and run is not None and run.status not in _JUDGED:
        drop_upcoming(application=application, reason=f"Learning run {run.number} is {run.status}.", now=now)
        return
    _take_over(application, model, promotion, now)


def _take_over(application: Application, model: ModelVersion, promotion: Mapping[str, Any], now: datetime) -> None:
    """In one transaction: the old version retires, the new one is active, the ledger says so, the run ends."""
    before = application.model
    kind, actor, reason = promotion["kind"], promotion["actor"], promotion["reason"]
    is_new = model.state == states.CANDIDATE
    if before is not None:
        transitions.model(before.pk, states.RETIRE, reason=f"Version {model.number} took over.")
    transitions.model(model.pk, states.PROMOTE if is_new else states.RESTORE, reason=reason)
    at = _moment(application, now)
    row = Promotion.objects.create(
        application=application, model=model, previous=before, kind=kind, actor=actor, reason=reason, at=at,
        bakes_until=_bakes_until(application, at) if is_new and before is not None else None,
    )  # fmt: skip
    Application.objects.filter(pk=application.pk).update(
        model=model, upcoming_model=None, promotion=None, baking=row if row.bakes_until else None,
        start_failures=0, upcoming_failures=0, retry_at=None,
    )  # fmt: skip
    run = _run_of(promotion)
    transitions.record(
        application.pk, "model", str(before.number) if before else "", str(model.number), kind, reason=reason, now=at,
        cause=f"learning-run:{run.number}" if run else "", actor=actor,
    )  # fmt: skip
    if is_new and run is not None:
        transitions.learning_run(run.pk, learning_runs.PROMOTE, reason=reason, now=now, actor=actor)
    _reject_the_others(application, model, now)


def _run_of(promotion: Mapping[str, Any]) -> LearningRun | None:
    id_ = promotion.get("run")
    return LearningRun.objects.filter(pk=id_).first() if id_ else None


def _moment(application: Application, now: datetime) -> datetime:
    """Strictly later than every row of the ledger, which nobody else can write to while the application is locked."""
    last = Promotion.objects.filter(application=application).order_by("-at").values_list("at", flat=True).first()
    return now if last is None else max(now, last + _A_TICK)


def _bakes_until(application: Application, at: datetime) -> datetime | None:
    gate = (application.release.manifest.get("gate") or {}) if application.release else {}
    seconds = float(gate.get("bake") or 0)
    return at + timedelta(seconds=seconds) if seconds > 0 else None


def _reject_the_others(application: Application, model: ModelVersion, now: datetime) -> None:
    """Candidates that await a decision were compared with a version that is not live any more."""
    others = ModelVersion.objects.filter(
        application=application, state=states.CANDIDATE, run__status=learning_runs.AWAITING
    )
    for other in others.exclude(pk=model.pk).select_related("run"):
        _reject(other, other.run, f"A later version was promoted: version {model.number}.", now, "appcore")


def drop_upcoming(*, application: Application, reason: str, now: datetime) -> None:
    """Afterwards the active version stays: the upcoming one is not to be, and a candidate is rejected. Called in a
    transaction that has locked the application (`editions.locked`)."""
    model = application.upcoming_model
    if model is None:
        return
    stays = str(application.model.number) if application.model else ""
    run = _run_of(application.promotion or {})
    _forget_upcoming(application)
    said = f"Version {model.number} does not take over: {reason}"
    transitions.record(
        application.pk, "model", stays, stays, "refuse", reason=said, now=now,
        cause=f"learning-run:{run.number}" if run else "",
    )  # fmt: skip
    if model.state == states.CANDIDATE:
        _reject(model, run, said, now, "appcore")
    notify("model", application=application.pk)


def _give_way(application: Application, reason: str, now: datetime) -> None:
    if application.upcoming_model_id is not None:
        drop_upcoming(application=application, reason=reason, now=now)


def _forget_upcoming(application: Application) -> None:
    Application.objects.filter(pk=application.pk).update(
        upcoming_model=None, promotion=None, upcoming_failures=0, retry_at=None
    )
    notify("application", id=application.pk)


def _reject(model: ModelVersion, run: LearningRun | None, reason: str, now: datetime, by: str) -> None:
    transitions.model(model.pk, states.REJECT, reason=reason)
    if run is not None and run.status in _JUDGED:
        transitions.learning_run(run.pk, learning_runs.REJECT, reason=reason, now=now, actor=by)
