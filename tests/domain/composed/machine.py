"""Several applications on one machine that is too small for all of them: the real plan and the real admission.

Each application wants to be used a few times. AppCore looks at one after another, and starts a process in a step of
its own: what it saw of the memory may be old by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from domain.composed.explore import CRASH, PLATFORM, TIME, Exploration, explore
from ovd_saas.domain import admission, health, learning, processes, service, status
from ovd_saas.domain.admission import Holder, Memory, Waiting
from ovd_saas.domain.plan import (
    Action,
    Desired,
    DrainProcess,
    MakeRoom,
    Move,
    Observed,
    ProcessFacts,
    StartProcess,
    plan,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
LATELY = NOW - timedelta(seconds=5)


class Process(NamedTuple):
    state: str
    is_busy: bool = False


class App(NamedTuple):
    service: str = service.ASLEEP
    unsent: int = 1
    is_quiet: bool = True
    is_unused: bool = True  # nobody has used it since it woke
    does_wait: bool = False  # for memory, as its row says
    processes: tuple[Process, ...] = ()


class World(NamedTuple):
    apps: tuple[App, ...]
    line: tuple[int, ...] = ()  # whose executions wait, the oldest first
    starting: tuple[int, ...] = ()  # planned and not done: of which application
    wrong: str | None = None


@dataclass(frozen=True)
class Machine:
    """How large it is, what its applications need, and which bug it is seeded with."""

    total_mb: int
    needs: tuple[int, ...]  # MB of each application
    uses: tuple[int, ...]  # how often each is used
    replicas: tuple[int, ...]
    bug: str = ""


def explored(machine: Machine) -> Exploration[World]:
    first = World(tuple(App(unsent=uses) for uses in machine.uses))
    return explore(first, lambda world: steps(world, machine), lambda world: broken(world, machine))


def steps(world: World, machine: Machine) -> Iterator[tuple[str, str, World]]:
    for index, app in enumerate(world.apps):
        if app.unsent:
            sent = _with(world, index, unsent=app.unsent - 1)
            yield "person", f"{index} is used", sent._replace(line=(*world.line, index))
        if not app.is_quiet and app.service == service.AWAKE:
            yield TIME, f"time passes for {index}", _with(world, index, is_quiet=True)
        yield PLATFORM, f"AppCore looks at {index}", _look(world, machine, index)
        yield from _processes(world, index)
    if world.starting:
        yield PLATFORM, f"AppCore starts {world.starting[0]}", _start(world, machine)
        yield CRASH, "AppCore dies", world._replace(starting=())


def _processes(world: World, index: int) -> Iterator[tuple[str, str, World]]:
    app = world.apps[index]
    for process in dict.fromkeys(app.processes):
        if process.state == processes.STARTING:
            yield PLATFORM, f"{index} gets ready", _change(world, index, process, process._replace(state="ready"))
        if process.is_busy:
            done = _change(world, index, process, process._replace(is_busy=False))
            yield PLATFORM, f"{index} answers", _with(done, index, is_quiet=False, is_unused=False)
        elif process.state == processes.DRAINING:
            yield PLATFORM, f"{index} has drained", _change(world, index, process, None)
        elif process.state == processes.READY and index in world.line:
            busy = _change(world, index, process, process._replace(is_busy=True))
            line = list(world.line)
            line.remove(index)
            yield PLATFORM, f"{index} is served", _with(busy, index, is_quiet=False)._replace(line=tuple(line))


def held_mb(world: World, machine: Machine) -> int:
    return sum(machine.needs[index] * len(app.processes) for index, app in enumerate(world.apps))


def memory(world: World, machine: Machine) -> Memory:
    leaving = sum(
        machine.needs[index]
        for index, app in enumerate(world.apps)
        for process in app.processes
        if process.state == processes.DRAINING and not process.is_busy
    )
    waiting = tuple(
        Waiting(index, machine.needs[index], _since(world.line, index) or NOW)
        for index, app in enumerate(world.apps)
        if app.does_wait
    )
    return Memory(machine.total_mb, held_mb(world, machine), leaving_mb=leaving, waiting=waiting)


def _since(line: tuple[int, ...], index: int) -> datetime | None:
    return LONG_AGO + timedelta(seconds=line.index(index)) if index in line else None


def facts(app: App, line: tuple[int, ...], machine: Machine, index: int) -> tuple[Desired, Observed]:
    desired = Desired(
        status=status.ENABLED, edition="only", sleep_after=60, on_wake="together", wake_asked=False, sleep_asked=False,
        memory_mb=machine.needs[index], max_replicas=machine.replicas[index],
    )  # fmt: skip
    used_at = LONG_AGO if app.is_quiet else LATELY
    observed = Observed(
        service=app.service, learning=learning.RESTING, health=health.HEALTHY, queued=line.count(index),
        running=sum(process.is_busy for process in app.processes), last_used_at=used_at, start_failures=0,
        retry_at=None, runner_up=True, application=index, waiting_since=_since(line, index),
        machine_mb=machine.total_mb,
        processes=tuple(
            ProcessFacts(
                str(number), process.state, "only", in_flight=process.is_busy, started_at=used_at, condemned=False,
                lost=False, used_at=used_at,
            )
            for number, process in enumerate(app.processes)
        ),
    )  # fmt: skip
    return desired, observed


@cache
def _planned(machine: Machine, index: int, app: App, line: tuple[int, ...], seen: Memory) -> tuple[Action, ...]:
    """What AppCore plans, and looks at the memory for where it would start something."""
    desired, observed = facts(app, line, machine, index)
    actions = plan(desired, observed, now=NOW)
    if not any(isinstance(action, StartProcess) for action in actions) or machine.bug == "memory is not looked at":
        return actions
    return plan(desired, replace(observed, memory=seen), now=NOW)


def _look(world: World, machine: Machine, index: int) -> World:
    waits = False
    for action in _planned(machine, index, world.apps[index], world.line, memory(world, machine)):
        match action:
            case Move(event=event):
                target = service.SERVICE.follow(world.apps[index].service, event)
                world = _with(world, index, service=target, is_unused=world.apps[index].is_unused or event == "wake")
            case StartProcess() if index not in world.starting:
                world = world._replace(starting=(*world.starting, index))
            case DrainProcess(process=number):
                world = _drained(world, index, int(number))
            case MakeRoom():
                waits = action.since is not None
                world = _make_room(world, machine, index, action)
    return _with(world, index, does_wait=waits)


def _make_room(world: World, machine: Machine, index: int, asked: MakeRoom) -> World:
    if machine.bug == "nobody gives way":
        return world
    holders = [
        Holder(other, machine.needs[other] * len(app.processes), LONG_AGO if app.is_quiet else LATELY, app.is_unused)
        for other, app in enumerate(world.apps)
        if app.service == service.AWAKE and other not in world.line and not any(p.is_busy for p in app.processes)
    ]
    chosen = admission.give_way(
        asked.needs_mb, memory(world, machine), holders, application=index, since=asked.since, now=NOW
    )
    for holder in chosen:
        other = holder.application
        world = _with(world, other, service=service.DRAINING)
        for number in range(len(world.apps[other].processes)):
            world = _drained(world, other, number)
    return world


def _start(world: World, machine: Machine) -> World:
    """The row is made in a transaction that looks at service and memory again."""
    index, *rest = world.starting
    world = world._replace(starting=tuple(rest))
    app = world.apps[index]
    fits = held_mb(world, machine) + machine.needs[index] <= machine.total_mb
    if app.service not in (service.WAKING, service.AWAKE) or len(app.processes) >= machine.replicas[index]:
        return world
    if not fits and machine.bug != "memory is not counted again":
        return world
    return _with(world, index, processes=tuple(sorted((*app.processes, Process(processes.STARTING)))))


def _drained(world: World, index: int, number: int) -> World:
    process = world.apps[index].processes[number]
    target = processes.PROCESS.target(process.state, processes.DRAIN)
    if target is None:
        return world
    rows = list(world.apps[index].processes)
    rows[number] = process._replace(state=target)
    return _with(world, index, processes=tuple(rows))


def _with(world: World, index: int, **changes: object) -> World:
    apps = list(world.apps)
    apps[index] = apps[index]._replace(**changes)  # type: ignore[arg-type]
    return world._replace(apps=tuple(apps))


def _change(world: World, index: int, before: Process, after: Process | None) -> World:
    rows = list(world.apps[index].processes)
    rows.remove(before)
    return _with(world, index, processes=tuple(sorted((*rows, after) if after else rows)))


def broken(world: World, machine: Machine) -> str | None:
    held = held_mb(world, machine)
    if held > machine.total_mb:
        return f"processes hold {held} MB of {machine.total_mb}"
    for index, app in enumerate(world.apps):
        if len(app.processes) > machine.replicas[index] + sum(p.state == "draining" for p in app.processes):
            return f"{index} has more processes than it may have"
    return None


def is_answered(world: World) -> bool:
    return not world.line and not any(process.is_busy for app in world.apps for process in app.processes)


def is_asleep(world: World) -> bool:
    return all(app.service == service.ASLEEP and not app.processes for app in world.apps)
