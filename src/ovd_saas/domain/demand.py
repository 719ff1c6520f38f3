"""Demand: is an application wanted awake, may it start, and until when is it in use. Floor 0: pure."""

from datetime import datetime, timedelta
from math import ceil

from ovd_saas.domain import admission
from ovd_saas.domain import learning as learnings
from ovd_saas.domain import processes as states
from ovd_saas.domain import service as serving
from ovd_saas.domain import status as statuses
from ovd_saas.domain.facts import Desired, Observed, ProcessFacts
from ovd_saas.domain.hours import Stretch, clock

MOMENT = timedelta(seconds=0.25)  # who waits longer for a place in a process that is ready asks for another process

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


def why_up(desired: Desired, observed: Observed, *, now: datetime) -> str | None:
    """Why a process should be started or kept: for somebody who waits, or because of its hours or habits; None when
    nothing asks for one.

    A person who wants it asleep comes before those who wait, until it is asleep; then they wake it again.
    """
    if desired.status != statuses.ENABLED:
        return None
    if desired.sleep_asked and observed.service != serving.ASLEEP:
        return None
    if observed.queued > 0:
        return f"{waiting(observed)}."
    return "A person woke it." if desired.wake_asked else why_by_itself(desired, observed, now=now)


def why_by_itself(desired: Desired, observed: Observed, *, now: datetime) -> str | None:
    """Why it is awake although nobody waits; None when it need not be. Once a person has put it to sleep, it is not
    woken before its next hours."""
    if observed.wakes_at is not None and observed.wakes_at > now:
        return None
    kept = desired.hours.at(now) if desired.hours else None
    if kept is not None:
        return sentence(desired, kept, now)
    return observed.foreseen.why if observed.foreseen and is_expected(observed, now=now) else None


def sentence(desired: Desired, kept: Stretch, now: datetime) -> str:
    """ "Kept awake until 18:00 UTC." """
    hours = desired.hours
    if hours is None or hours.is_always(kept):
        return "Kept awake at all times."
    return f"Kept awake until {clock(kept.end, hours.zone, now)}."


def is_expected(observed: Observed, *, now: datetime) -> bool:
    """Whether a use is expected at this moment, and has not come yet."""
    expected = observed.foreseen
    if expected is None or not expected.at <= now < expected.until:
        return False
    return observed.last_used_at is None or observed.last_used_at < expected.at


def look_at(desired: Desired, observed: Observed, *, now: datetime) -> datetime | None:
    """From when on its hours and habits may have it awake: a past moment, when they do now; None when never. Who was
    put to sleep by a person is left alone for what is left of its hours."""
    if desired.status != statuses.ENABLED:
        return None
    is_sent_to_sleep = desired.sleep_asked
    if observed.service == serving.ASLEEP and observed.wakes_at is not None:
        is_sent_to_sleep |= observed.wakes_at > now
    moments: list[datetime | None] = []
    if desired.hours is not None:
        kept = desired.hours.at(now)
        moments.append(kept.begin if kept and not is_sent_to_sleep else desired.hours.after(now))
    expected = observed.foreseen
    if expected is not None and (expected.at > now or (is_expected(observed, now=now) and not is_sent_to_sleep)):
        moments.append(expected.at)
    return min((moment for moment in moments if moment is not None), default=None)


def why_not_start(desired: Desired, observed: Observed, *, now: datetime) -> str | None:
    """Why no process may be started now, as a sentence; None when one may."""
    if desired.status != statuses.ENABLED:
        return f"It is {desired.status}: nothing starts."
    if desired.edition is None:
        return "No release is ready."
    if not observed.runner_up:
        return "No runner is up; it starts as soon as one is back."
    if observed.drained:
        return observed.drained
    if observed.retry_at is not None and observed.retry_at > now:
        return f"Its last start failed ({observed.start_failures} in a row); it tries again after a pause."
    return observed.lack


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


def quiet_at(desired: Desired, observed: Observed, *, now: datetime) -> datetime | None:
    """When it falls asleep if nobody uses it; None while somebody does, or no process is ready."""
    ready = usable(observed, states.READY)
    if is_busy(observed) or not ready:
        return None
    used = [p.started_at for p in ready]
    if observed.last_used_at is not None:
        used.append(observed.last_used_at)
    try:
        quiet = max(used) + timedelta(seconds=desired.sleep_after)
    except OverflowError:  # sleep_after = inf: kept awake
        return None
    kept = desired.hours.at(now) if desired.hours else None
    if kept is not None:
        quiet = max(quiet, kept.end)
    if observed.foreseen is not None and is_expected(observed, now=now):
        quiet = max(quiet, observed.foreseen.until)
    return quiet


def why_quiet(desired: Desired, observed: Observed, *, now: datetime) -> str:
    """Why it falls asleep after quiet time."""
    expected, used = observed.foreseen, observed.last_used_at
    is_over = expected is not None and expected.until <= now and (used is None or used < expected.at)
    if expected is not None and is_over:
        began = [p.started_at for p in usable(observed, states.READY)]
        if all(expected.at <= moment < expected.until for moment in began):
            return f"Nobody came. {expected.why}"
    return f"Nobody used it for {desired.sleep_after:g} seconds." if desired.sleep_after else "Nobody uses it any more."


def waits_since(desired: Desired, observed: Observed, *, now: datetime) -> datetime | None:
    """Since when somebody has waited for it, or its hours have begun; None when it is but expected to be used."""
    if observed.waiting_since is not None or desired.hours is None:
        return observed.waiting_since
    kept = desired.hours.at(now)
    return kept.begin if kept is not None and why_by_itself(desired, observed, now=now) else None


def lacks(observed: Observed, needs_mb: int, *, since: datetime | None = None) -> str | None:
    """Why a process of so much memory does not fit now, as a sentence; None when it does, or nobody has looked.
    `since` as `waits_since` has it; None: others come first."""
    if observed.memory is None:
        return None
    return admission.why_wait(needs_mb, observed.memory, application=observed.application, since=since)


def wanted_replicas(desired: Desired, observed: Observed, *, now: datetime) -> int:
    """How many processes of the current edition the queue asks for, of those that are ready now; as many, when nobody
    has waited for longer than a moment."""
    ready = [p for p in usable(observed, states.READY) if p.edition == desired.edition]
    if not ready or len(ready) >= desired.max_replicas:
        return len(ready)
    newest = max(p.ready_at or p.started_at for p in ready)
    since = observed.waiting_since if observed.queued else None
    is_crowded = since is not None and max(since, newest) + MOMENT <= now
    if not is_crowded and timedelta(seconds=observed.waited_seconds) < MOMENT:
        return len(ready)
    asked = ceil((observed.queued + observed.running) / desired.concurrency)
    return min(max(len(ready) + 1, asked), desired.max_replicas)
