"""Outlook: the sentence that says what happens next to an application, and when. Floor 0: pure."""

from datetime import datetime

from ovd_saas.domain import learning as learnings
from ovd_saas.domain import processes as states
from ovd_saas.domain import service as serving
from ovd_saas.domain import status as statuses
from ovd_saas.domain.admission import WAITS, is_too_large, why_too_large
from ovd_saas.domain.demand import (
    count,
    lacks,
    look_at,
    present,
    quiet_at,
    sentence,
    usable,
    waiting,
    waits_since,
    wanted_replicas,
    why_up,
    why_wait_for_learning,
)
from ovd_saas.domain.facts import Desired, Next, Observed
from ovd_saas.domain.hours import clock

SLEEPS_ON = "Wakes when somebody uses it."  # what is next for one that sleeps and has nothing to learn


def next_event(desired: Desired, observed: Observed, *, now: datetime) -> Next:
    """What the platform will do next with this application if nobody decides otherwise."""
    if observed.service == serving.ASLEEP:
        return _asleep(desired, observed, now)
    if desired.status != statuses.ENABLED or observed.service == serving.DRAINING or desired.sleep_asked:
        return Next(_falls_asleep(observed), None)
    if observed.service == serving.WAKING:
        return _waking(observed, now)
    return _awake(desired, observed, now)


def _asleep(desired: Desired, observed: Observed, now: datetime) -> Next:
    if desired.status == statuses.RETIRED:
        return Next("Nothing: it is retired.", None)
    if desired.status == statuses.DRAFT:
        return Next("Opens when a release is ready and a person enables it.", None)
    if desired.status == statuses.SUSPENDED:
        kept = f" {waiting(observed)} until then." if observed.queued else ""
        return Next(f"Nothing, until a person enables it.{kept}", None)
    if why_up(desired, observed, now=now) is None:
        return _sleeps_on(desired, observed, now)
    return _wakes(desired, observed, now)


def _sleeps_on(desired: Desired, observed: Observed, now: datetime) -> Next:
    if observed.start_failures and observed.retry_at is not None and observed.retry_at > now:
        return Next(
            "Its last start failed. It can be tried again from this moment, when somebody uses it.",
            observed.retry_at,
        )
    if observed.learning in learnings.OCCUPIED:
        return Next("Goes on learning; wakes when somebody uses it.", None)
    if observed.learning == learnings.DUE:
        return Next(
            observed.drained
            or observed.learning_waits
            or "Learns as soon as there is room; wakes when somebody uses it.",
            None,
        )
    wakes = _wakes_by_itself(desired, observed, now)
    learns = observed.learns_next
    if wakes is not None and (learns is None or learns.at is None or (wakes.at is not None and wakes.at <= learns.at)):
        return wakes
    return learns or Next(SLEEPS_ON, None)


def _wakes_by_itself(desired: Desired, observed: Observed, now: datetime) -> Next | None:
    """When its hours or habits wake it."""
    at, expected = look_at(desired, observed, now=now), observed.foreseen
    if at is None or at <= now:
        return None
    zone = desired.zone
    day, _, time = clock(at, zone, now).rpartition(" at ")
    when = f"on {day} at {time}" if day else f"at {time}"
    why = f" {expected.why}" if expected is not None and at == expected.at else ""
    return Next(f"Wakes {when}.{why}", at)


def _wakes(desired: Desired, observed: Observed, now: datetime) -> Next:
    if desired.edition is None:
        return Next("Wakes when a release is ready.", None)
    if observed.retry_at is not None and observed.retry_at > now:
        return Next("Tries to start again.", observed.retry_at)
    if not observed.runner_up:
        return Next("Wakes as soon as a runner is back.", None)
    if observed.drained:
        return Next(observed.drained, None)
    if is_too_large(desired.memory_mb, observed.machine_mb):
        return Next(f"Cannot wake. {why_too_large(desired.memory_mb, observed.machine_mb)}", None)
    lack = lacks(observed, desired.memory_mb, since=waits_since(desired, observed, now=now))
    return Next(why_wait_for_learning(desired, observed) or lack or "Wakes now.", None)


def _waking(observed: Observed, now: datetime) -> Next:
    if observed.start_failures and observed.retry_at is not None and observed.retry_at > now:
        return Next("Tries to start again.", observed.retry_at)
    if not observed.runner_up:
        return Next("Is awake as soon as a runner is back.", None)
    return Next("Is awake as soon as its process is ready.", None)


def _awake(desired: Desired, observed: Observed, now: datetime) -> Next:
    serves = usable(observed, states.READY)
    is_old = desired.edition is not None and serves and all(p.edition != desired.edition for p in serves)
    if is_old or desired.upcoming is not None:
        return Next(_takes_over(desired, observed), None)
    if observed.memory is not None and len(serves) < wanted_replicas(desired, observed, now=now):
        lack = lacks(observed, desired.memory_mb)
        if lack is not None:
            return Next(lack.replace(WAITS, "One more process waits for memory"), None)
    kept = desired.hours.at(now) if desired.hours else None
    if kept is not None and desired.hours is not None:
        return Next(sentence(desired, kept, now), None if desired.hours.is_always(kept) else kept.end)
    at = quiet_at(desired, observed, now=now)
    if at is not None:
        return Next("Falls asleep, if nobody uses it.", at)
    if not desired.sleep_after:
        return Next("Falls asleep as soon as nobody uses it.", None)
    return Next(f"Falls asleep after {desired.sleep_after:g} seconds of quiet.", None)


def _takes_over(desired: Desired, observed: Observed) -> str:
    lack = lacks(observed, desired.upcoming_memory_mb) if desired.upcoming is not None else None
    if lack is not None:
        return lack.replace(WAITS, "The newer release or model waits for memory")
    return "The newer release or model takes over as soon as its process is ready."


def _falls_asleep(observed: Observed) -> str:
    busy = max(observed.running, sum(p.in_flight for p in present(observed)))
    return f"Falls asleep when {count(busy, 'execution')} finished." if busy else "Falls asleep now."
