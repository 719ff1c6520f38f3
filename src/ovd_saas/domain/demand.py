"""Demand: is an application wanted awake, may it start, and until when is it in use. Floor 0: pure."""

from datetime import datetime, timedelta

from ovd_saas.domain import learning as learnings
from ovd_saas.domain import processes as states
from ovd_saas.domain import service as serving
from ovd_saas.domain import status as statuses
from ovd_saas.domain.facts import Desired, Observed, ProcessFacts

_DELAYS = (1.0, 4.0, 15.0, 60.0, 300.0)  # seconds; the last one repeats


def retry_delay(failures: int) -> timedelta:
    """How long to wait after so many failed starts in a row: 1 s, 4 s, 15 s, 1 min, then 5 min each."""
    if failures <= 0:
        return timedelta(0)
    return timedelta(seconds=_DELAYS[min(failures, len(_DELAYS)) - 1])


def present(observed: Observed) -> tuple[ProcessFacts, ...]:
    """The processes that exist as far as anybody knows."""
    return tuple(p for p in observed.processes if p.state in states.LIVING and not p.lost)


def usable(observed: Observed, *wanted: str) -> tuple[ProcessFacts, ...]:
    """The present processes in one of these states that nobody wants killed, oldest first."""
    found = [p for p in present(observed) if p.state in wanted and not p.condemned]
    return tuple(sorted(found, key=lambda p: (p.started_at, p.id)))


def count(number: int, noun: str) -> str:
    """ "1 execution", "2 executions"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def waiting(observed: Observed) -> str:
    """ "1 execution waits", "2 executions wait"."""
    return count(observed.queued, "execution") + (" waits" if observed.queued == 1 else " wait")


def why_up(desired: Desired, observed: Observed) -> str | None:
    """Why a process should be started or kept for somebody who waits; None when nobody does.

    A person who wants it asleep comes before those who wait, until it is asleep; then they wake it again.
    """
    if desired.status != statuses.ENABLED:
        return None
    if desired.sleep_asked and observed.service != serving.ASLEEP:
        return None
    if observed.queued > 0:
        return f"{waiting(observed)}."
    return "A person woke it." if desired.wake_asked else None


def why_not_start(desired: Desired, observed: Observed, *, now: datetime) -> str | None:
    """Why no process may be started now, as a sentence; None when one may."""
    if desired.status != statuses.ENABLED:
        return f"It is {desired.status}: nothing starts."
    if desired.edition is None:
        return "No release is ready."
    if not observed.runner_up:
        return "No runner is up; it starts as soon as one is back."
    if observed.retry_at is not None and observed.retry_at > now:
        return f"Its last start failed ({observed.start_failures} in a row); it tries again after a pause."
    return None


def why_wait_for_learning(desired: Desired, observed: Observed) -> str | None:
    """Why a user waits until learning makes room, as a sentence; None when it need not."""
    if desired.on_wake == learnings.FINISH and observed.learning in learnings.OCCUPIED:
        return "It wakes when learning is done."
    if desired.on_wake == learnings.YIELDS and observed.learning in (learnings.LEARNING, learnings.YIELDING):
        return "It wakes when learning has saved its checkpoint."
    return None


def is_busy(observed: Observed) -> bool:
    """Whether an execution waits, runs, or is in a process."""
    return observed.queued > 0 or observed.running > 0 or any(p.in_flight for p in present(observed))


def quiet_at(desired: Desired, observed: Observed) -> datetime | None:
    """When it falls asleep if nobody uses it; None while somebody does, or no process is ready."""
    ready = usable(observed, states.READY)
    if is_busy(observed) or not ready:
        return None
    used = [p.started_at for p in ready]
    if observed.last_used_at is not None:
        used.append(observed.last_used_at)
    try:
        return max(used) + timedelta(seconds=desired.sleep_after)
    except OverflowError:  # sleep_after = inf: kept awake
        return None
