"""Runners: drain a machine, and take it back. Floor 2: may use store, domain."""

from datetime import datetime

import structlog
from django.db import transaction

from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import admission
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Runner

log = structlog.get_logger()
LONGEST_REASON = 300  # characters


class Drained(Refusal):
    """Somebody drains the machine already."""

    code = "already_drained"


class NotDrained(Refusal):
    """Nobody drains the machine."""

    code = "not_drained"


@transaction.atomic
def drain(*, runner_id: int, by: str, reason: str, now: datetime) -> Runner:
    """Afterwards nothing new starts there: what executes may finish, who is awake falls asleep, learning that can give
    way does, and whoever comes waits with that reason. `reason` may be empty. Raises NotFound, Drained."""
    runner = _locked(runner_id)
    if runner.drained_at is not None:
        raise Drained(f"{runner.drained_by.removeprefix('user:')} drains {runner.name} already.")
    runner.drained_at, runner.drained_by = now, by
    runner.drain_reason = reason.strip()[:LONGEST_REASON]
    _save(runner)
    log.info("a machine is drained", runner=runner.name, by=by, reason=runner.drain_reason)
    return runner


@transaction.atomic
def undrain(*, runner_id: int, by: str, now: datetime) -> Runner:
    """Afterwards things start there again, first for whoever has waited. Raises NotFound, NotDrained."""
    runner = _locked(runner_id)
    if runner.drained_at is None:
        raise NotDrained(f"{runner.name} takes work already: nobody drains it any more.")
    runner.drained_at, runner.drained_by, runner.drain_reason = None, "", ""
    _save(runner)
    log.info("a machine is drained no more", runner=runner.name, by=by)
    return runner


def why_drained(runner: Runner | None) -> str:
    """Why nothing starts there, as a sentence; empty when it does, or nobody drains it."""
    if runner is None or runner.drained_at is None:
        return ""
    return admission.why_drained(runner.name, runner.drained_at)


def _locked(runner_id: int) -> Runner:
    runner = Runner.objects.select_for_update().filter(pk=runner_id).first()
    if runner is None:
        raise NotFound("There is no such machine.")
    return runner


def _save(runner: Runner) -> None:
    runner.save(update_fields=["drained_at", "drained_by", "drain_reason"])
    notify("runner")
