"""Plan: what to do next for one application, given what is wanted and what is so. Floor 0: pure.

AppCore does the actions in order and may die between any two of them: planning again from what is then so
goes on where it stopped. An action that is already done is not planned again, except for kills, which are
repeated until the process has ended.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from ovd_saas.domain import health as healths
from ovd_saas.domain import learning as learnings
from ovd_saas.domain import processes as states
from ovd_saas.domain import service as serving
from ovd_saas.domain import status as statuses
from ovd_saas.domain.actions import (
    HEALTH,
    LEARNING,
    SERVICE,
    Action,
    DrainProcess,
    FailQueued,
    ForgetProcess,
    KillProcess,
    MakeRoom,
    Move,
    StartProcess,
)
from ovd_saas.domain.admission import is_too_large, why_too_large
from ovd_saas.domain.demand import (
    count,
    is_busy,
    lacks,
    present,
    quiet_at,
    retry_delay,
    usable,
    waits_since,
    wanted_replicas,
    why_not_start,
    why_quiet,
    why_up,
    why_wait_for_learning,
)
from ovd_saas.domain.facts import Desired, Next, Observed, ProcessFacts
from ovd_saas.domain.outlook import next_event

__all__ = [
    "Action",
    "Desired",
    "DrainProcess",
    "FailQueued",
    "ForgetProcess",
    "KillProcess",
    "MakeRoom",
    "Move",
    "Next",
    "Observed",
    "ProcessFacts",
    "StartProcess",
    "next_event",
    "plan",
    "retry_delay",
]

FAULTY = "faulty"  # code of FailQueued: the application does not start
SETTLE = timedelta(seconds=1)  # between a process being ready and the end of those before it
TOO_LARGE = "too_large"  # code of FailQueued: a process of it does not fit the machine
ENOUGH_SECONDS = 10.0  # a process that nobody needed for so long beside others is drained
RETIRED = "retired"  # code of FailQueued: nothing will ever start again


def plan(desired: Desired, observed: Observed, *, now: datetime) -> tuple[Action, ...]:
    """What to do now, in this order; empty when all is as wanted or only time or a process moves it on."""
    stuck = frozenset(p.id for p in observed.processes if _is_stuck(p, desired, now))
    observed = replace(
        observed,
        processes=tuple(replace(p, condemned=True) if p.id in stuck else p for p in observed.processes),
    )
    actions = _plan(desired, observed, stuck, now)
    if observed.memory is None:
        return actions
    return tuple(_admitted(actions, desired, observed, stuck, now))


def _plan(desired: Desired, observed: Observed, stuck: frozenset[str], now: datetime) -> tuple[Action, ...]:
    return (
        *_lost_and_condemned(desired, observed, stuck),
        *_learning(desired, observed, now),
        *_service(desired, observed, now),
        *_health(desired, observed),
        *_queue(desired, observed, now),
    )


def _admitted(
    actions: tuple[Action, ...], desired: Desired, observed: Observed, stuck: frozenset[str], now: datetime
) -> Iterator[Action]:
    """The same, but what does not fit the machine's memory does not start: what would have been done without it is
    done, and room is asked for."""
    first = next((action for action in actions if isinstance(action, StartProcess)), None)
    if first is None or observed.memory is None:
        yield from actions
        return
    lack = _lacks(desired, observed, first, now)
    if lack is not None and observed.service != serving.AWAKE:
        yield from _plan(desired, replace(observed, lack=lack), stuck, now)
        if not is_too_large(desired.memory_mb, observed.machine_mb):
            yield _room(desired, observed, first, lack, now)
        return
    asked, memory = False, observed.memory
    for action in actions:
        if not isinstance(action, StartProcess):
            yield action
            continue
        why = _lacks(desired, observed, action, now)
        if why is None:
            yield action
            memory = replace(memory, held_mb=memory.held_mb + _needs(desired, action.edition))
            observed = replace(observed, memory=memory)
        elif action.edition == desired.upcoming and (not is_busy(observed) or _excludes(desired, observed)):
            yield from _drain(observed, "It gives its memory to the release or model that takes over.")
            return
        elif not asked:
            asked = True
            yield _room(desired, observed, action, why, now)


def _needs(desired: Desired, edition: str) -> int:
    return desired.upcoming_memory_mb if edition == desired.upcoming else desired.memory_mb


def _is_first(desired: Desired, observed: Observed, start: StartProcess) -> bool:
    """Whether it wakes the application, instead of being one more."""
    return not start.is_extra and start.edition == desired.edition and observed.service != serving.AWAKE


def _lacks(desired: Desired, observed: Observed, start: StartProcess, now: datetime) -> str | None:
    if start.edition == desired.upcoming and is_too_large(desired.upcoming_memory_mb, observed.machine_mb):
        return None  # its start is refused, which drops it
    since = waits_since(desired, observed, now=now) if _is_first(desired, observed, start) else None
    return lacks(observed, _needs(desired, start.edition), since=since)


def _room(desired: Desired, observed: Observed, start: StartProcess, why: str, now: datetime) -> MakeRoom:
    is_first = _is_first(desired, observed, start)
    since = waits_since(desired, observed, now=now) if is_first else None
    may_take = not is_first or since is not None  # what is but expected takes nothing from others
    return MakeRoom(_needs(desired, start.edition), since, why, may_take=may_take)


def _excludes(desired: Desired, observed: Observed) -> bool:
    """Whether the machine has too little memory for the current edition and the next one at once."""
    return is_too_large(desired.memory_mb + desired.upcoming_memory_mb, observed.machine_mb)


def _lost_and_condemned(desired: Desired, observed: Observed, stuck: frozenset[str]) -> Iterator[Action]:
    for process in observed.processes:
        if process.state == states.ENDED:
            continue
        if process.lost:
            yield ForgetProcess(process.id, "Its runner no longer knows it.")
        elif process.id in stuck and observed.runner_up:
            yield KillProcess(process.id, f"It was not ready within {desired.start_within:g} seconds.")
        elif process.condemned and observed.runner_up:
            yield KillProcess(process.id, "A person or a deadline wants it ended.")


def _is_stuck(process: ProcessFacts, desired: Desired, now: datetime) -> bool:
    return process.state == states.STARTING and now - process.started_at > timedelta(seconds=desired.start_within)


def _learning(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    state = observed.learning
    if desired.status == statuses.RETIRED:
        if learnings.LEARNING_REGION.target(state, learnings.CANCEL):
            yield Move(LEARNING, learnings.CANCEL, "The application is retired.")
        return
    if state != learnings.LEARNING:
        return
    if desired.status != statuses.ENABLED:
        yield Move(LEARNING, learnings.YIELD, f"The application is {desired.status}; learning is paused.")
    elif desired.on_wake == learnings.YIELDS and (
        observed.service != serving.ASLEEP or why_up(desired, observed, now=now) is not None
    ):
        yield Move(LEARNING, learnings.YIELD, "A user came; learning gives way and resumes when it is asleep.")
    elif observed.drained and desired.on_wake == learnings.YIELDS:
        yield Move(LEARNING, learnings.YIELD, f"{observed.drained} Learning gives way, and goes on afterwards.")


def _service(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    if observed.service == serving.ASLEEP:
        yield from _asleep(desired, observed, now)
    elif observed.service == serving.WAKING:
        yield from _waking(desired, observed, now)
    elif observed.service == serving.AWAKE:
        yield from _awake(desired, observed, now)
    else:
        yield from _draining(desired, observed, now)


def _asleep(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    wakes = tuple(_wake(desired, observed, now))
    yield from wakes
    if not wakes:
        yield from _drain_all(observed, "The application is asleep.")


def _wake(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    """Wake, if somebody waits and it may start; with a process, unless one is there already."""
    reason = why_up(desired, observed, now=now)
    if reason is None or observed.drained or why_wait_for_learning(desired, observed) is not None:
        return
    if usable(observed, states.STARTING, states.READY):
        yield Move(SERVICE, serving.WAKE, reason)
    elif desired.edition is not None and why_not_start(desired, observed, now=now) is None:
        yield Move(SERVICE, serving.WAKE, reason)
        yield StartProcess(desired.edition)


def _waking(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    unwanted = _why_down(desired, observed)
    if unwanted is not None:
        yield from _drain(observed, unwanted)
    elif ready := usable(observed, states.READY):
        yield Move(SERVICE, serving.READY, states.why_ready(ready[0].how, ready[0].ready_seconds))
    elif not [p for p in present(observed) if p.state == states.STARTING]:
        yield from _start_or_give_up(desired, observed, now)
    else:
        yield from _start_current(desired, observed, now)


def _start_or_give_up(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    refusal = why_not_start(desired, observed, now=now) or why_wait_for_learning(desired, observed)
    if refusal is not None:
        yield Move(SERVICE, serving.FAIL, refusal)
    elif why_up(desired, observed, now=now) is None:
        yield Move(SERVICE, serving.DRAIN, "Nobody waits for it any more.")
    elif desired.edition is not None:
        yield StartProcess(desired.edition)


def _awake(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    ready = [p for p in present(observed) if p.state == states.READY]
    unwanted = _why_down(desired, observed)
    quiet = quiet_at(desired, observed, now=now)
    if unwanted is not None:
        yield from _drain(observed, unwanted)
    elif not ready and any(p.state == states.DRAINING for p in present(observed)):
        yield Move(SERVICE, serving.DRAIN, "Its last process is ending.")
    elif not ready:
        yield Move(SERVICE, serving.LOSE, "Its process is gone.")
    elif quiet is not None and quiet <= now:
        yield from _drain(observed, why_quiet(desired, observed, now=now))
    else:
        yield from _start_current(desired, observed, now)
        yield from _start_more(desired, observed, now)
        yield from _retire_surplus(desired, observed, now)


def _start_current(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    """Start the current release, and the one that is to take over, beside an older one, unless under way."""
    there = [p for p in present(observed) if p.state in (states.STARTING, states.READY)]
    if any(p.condemned for p in there) or why_not_start(desired, observed, now=now) is not None:
        return
    for edition in (desired.edition, desired.upcoming):
        if edition is not None and not any(p.edition == edition for p in there):
            yield StartProcess(edition)


def _start_more(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    """More processes of the current edition, while somebody waits for a place in those that there are."""
    there = [p for p in present(observed) if p.state in (states.STARTING, states.READY)]
    is_changing = any(p.condemned or p.state == states.STARTING or p.edition != desired.edition for p in there)
    if desired.edition is None or is_changing or desired.upcoming is not None:
        return
    if why_not_start(desired, observed, now=now) is not None:
        return
    for _ in range(wanted_replicas(desired, observed, now=now) - len(there)):
        yield StartProcess(desired.edition, is_extra=True)


def _retire_surplus(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    """Drain what is older than a ready process of the current edition, and more of it than is needed; a moment later,
    so that whoever brings executions to processes has changed over by then."""
    ready = [p for p in usable(observed, states.READY) if p.edition == desired.edition]
    if not any(_has_settled(p, now) for p in ready) or not observed.runner_up:
        return
    starting = [p for p in usable(observed, states.STARTING) if p.edition == desired.edition]
    kept = [*ready, *starting][: desired.max_replicas]
    for process in usable(observed, states.STARTING, states.READY):
        if process.edition == desired.upcoming or process in kept:
            continue
        if process.edition != desired.edition:
            yield DrainProcess(process.id, "A newer release or model has taken over.")
        else:
            yield DrainProcess(process.id, "Other processes of this edition serve already.")
    if observed.queued == 0 and not starting:
        idle = [p for p in kept if _is_idle(p, desired, now)]
        for process in idle[::-1][: len(kept) - 1]:
            yield DrainProcess(process.id, "The others are enough: nobody needed it for a while.")


def _is_idle(process: ProcessFacts, desired: Desired, now: datetime) -> bool:
    used_at = max(process.started_at, process.ready_at or process.started_at, process.used_at or process.started_at)
    quiet = timedelta(seconds=min(desired.sleep_after, ENOUGH_SECONDS))
    return process.in_flight == 0 and now - used_at >= quiet


def _has_settled(process: ProcessFacts, now: datetime) -> bool:
    return process.ready_at is None or now - process.ready_at >= SETTLE


def _draining(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    is_making_room = desired.upcoming is not None and (observed.queued == 0 or _excludes(desired, observed))
    wakes = () if is_making_room else tuple(_wake(desired, observed, now))
    yield from wakes
    if wakes:
        return
    yield from _drain_all(observed, _why_down(desired, observed) or "The application is falling asleep.")
    if not present(observed):
        yield Move(SERVICE, serving.SLEEP, "Its last process has ended.")


def _drain(observed: Observed, reason: str) -> Iterator[Action]:
    yield Move(SERVICE, serving.DRAIN, reason)
    yield from _drain_all(observed, reason)


def _drain_all(observed: Observed, reason: str) -> Iterator[Action]:
    if observed.runner_up:
        for process in usable(observed, states.STARTING, states.READY):
            yield DrainProcess(process.id, reason)


def _why_down(desired: Desired, observed: Observed) -> str | None:
    """Why it may not stay awake, as a sentence; None when it may."""
    if desired.status != statuses.ENABLED:
        return f"The application is {desired.status}."
    if desired.sleep_asked:
        return "A person put it to sleep."
    return observed.drained or None


def _health(desired: Desired, observed: Observed) -> Iterator[Action]:
    is_large = is_too_large(desired.memory_mb, observed.machine_mb)
    is_broken = observed.start_failures >= desired.max_start_failures
    if is_large and observed.memory is not None and observed.health == healths.HEALTHY:
        yield Move(HEALTH, healths.FAULT, why_too_large(desired.memory_mb, observed.machine_mb))
    elif is_broken and observed.health == healths.HEALTHY:
        failures = count(observed.start_failures, "start")
        yield Move(HEALTH, healths.FAULT, f"{failures} in a row failed; see the log of its last process.")
    elif not is_broken and not is_large and observed.health == healths.FAULTY:
        yield Move(HEALTH, healths.RECOVER, "Its failed starts no longer count.")


def _queue(desired: Desired, observed: Observed, now: datetime) -> Iterator[Action]:
    """Fail what would wait in vain. A suspended application keeps its queue, visibly."""
    if observed.queued == 0:
        return
    if desired.status == statuses.RETIRED:
        yield FailQueued(RETIRED, "The application was retired before this execution started.")
    elif desired.status == statuses.ENABLED and _will_never_fit(desired, observed):
        yield FailQueued(TOO_LARGE, why_too_large(desired.memory_mb, observed.machine_mb))
    elif desired.status == statuses.ENABLED and _gave_up(desired, observed, now):
        yield FailQueued(
            FAULTY,
            f"The application failed to start {observed.start_failures} times in a row. "
            "Its operators can see why in the log of its last process; try again later.",
        )


def _will_never_fit(desired: Desired, observed: Observed) -> bool:
    is_served = usable(observed, states.STARTING, states.READY)
    return is_too_large(desired.memory_mb, observed.machine_mb) and not is_served


def _gave_up(desired: Desired, observed: Observed, now: datetime) -> bool:
    return (
        observed.start_failures >= desired.max_start_failures
        and observed.retry_at is not None
        and observed.retry_at > now
        and not usable(observed, states.STARTING, states.READY)
    )
