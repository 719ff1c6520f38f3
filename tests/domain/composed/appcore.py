"""What AppCore does: plan from what it sees, do the actions one by one, and die between any two of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from domain.composed import learning
from domain.composed.executions import cut_off, end
from domain.composed.explore import CRASH, PLATFORM, TIME
from domain.composed.world import ALIVE, UNKNOWN, Process, Scope, World
from ovd_saas.domain import executions, health, processes, service, status
from ovd_saas.domain import plan as plans
from ovd_saas.domain.plan import (
    Action,
    Desired,
    DrainProcess,
    FailQueued,
    ForgetProcess,
    KillProcess,
    Move,
    Observed,
    ProcessFacts,
    StartProcess,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
SLEEP_AFTER = 60.0
SEEN = World._fields.index("executions")  # what AppCore sees stands before it, but for counts and learning


def steps(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    if world.todo:
        yield PLATFORM, f"AppCore: {world.todo[0]}", _do(world, scope)
        yield CRASH, "AppCore dies", world._replace(todo=())
    else:
        actions = plan(world, scope)
        if actions:
            seen = (world.service, world.learning, world.health)
            planned = world._replace(todo=tuple((action, seen) for action in actions))
            if scope.is_plan_stale:
                yield PLATFORM, "AppCore: plans", planned
            else:
                yield from _prefixes(planned, scope)
    if world.is_retry_early:
        yield TIME, "time: the pause after a failed start is over", world._replace(is_retry_early=False)
    if not world.is_quiet and world.service == service.AWAKE:
        yield TIME, "time: quiet for long enough", world._replace(is_quiet=True)


def _prefixes(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    """Nothing else happens meanwhile, but AppCore may die after each action."""
    done: list[str] = []
    while world.todo:
        action = world.todo[0][0]  # type: ignore[index]
        done.append(action[0] if isinstance(action, tuple) else str(action))
        world = _do(world, scope)
        kind = CRASH if world.todo else PLATFORM
        yield kind, f"AppCore: {', '.join(done)}{', then it dies' * bool(world.todo)}", world._replace(todo=())


def plan(world: World, scope: Scope) -> tuple[Action, ...]:
    """The real plan, on the facts of this world."""
    in_flight = tuple(sum(e.worker == p.id for e in world.executions) for p in world.processes)
    actions = _plan(
        world[:SEEN],
        world.learning,
        sum(e.state == executions.QUEUED for e in world.executions),
        sum(e.state == executions.RUNNING for e in world.executions),
        in_flight,
        scope.on_wake,
        scope.max_start_failures,
    )
    return tuple(a for a in actions if type(a).__name__ != scope.unplanned)


@cache
def _plan(
    seen: tuple[object, ...],
    learns: str,
    queued: int,
    running: int,
    in_flight: tuple[int, ...],
    on_wake: str,
    max_start_failures: int,
) -> tuple[Action, ...]:
    world = World(*seen, learning=learns)  # type: ignore[arg-type]
    desired, observed = facts(world, queued, running, in_flight, on_wake, max_start_failures)
    return plans.plan(desired, observed, now=NOW)


def facts(
    world: World, queued: int, running: int, in_flight: tuple[int, ...], on_wake: str, max_start_failures: int
) -> tuple[Desired, Observed]:
    desired = Desired(
        status=world.status,
        edition=str(world.release),
        sleep_after=SLEEP_AFTER,
        on_wake=on_wake,
        wake_asked=world.wake_asked,
        sleep_asked=world.sleep_asked,
        max_start_failures=max_start_failures,
        start_within=1e6,
    )
    observed = Observed(
        service=world.service,
        learning=world.learning,
        health=world.health,
        queued=queued,
        running=running,
        last_used_at=LONG_AGO if world.is_quiet else NOW,
        processes=tuple(
            ProcessFacts(
                id=str(p.id),
                state=p.state,
                edition=str(p.release),
                in_flight=busy,
                started_at=LONG_AGO,
                condemned=p.is_condemned,
                lost=p.body != ALIVE,
            )
            for p, busy in zip(world.processes, in_flight, strict=True)
        ),
        start_failures=world.failures,
        retry_at=(NOW + timedelta(seconds=5) if world.is_retry_early else LONG_AGO) if world.failures else None,
        runner_up=world.is_runner_up,
    )
    return desired, observed


def _do(world: World, scope: Scope) -> World:
    (action, seen), *rest = world.todo  # type: ignore[misc]
    world = world._replace(todo=tuple(rest))
    match action:
        case Move(region=region, event=event):
            return _move(world, scope, region, event, dict(zip(("service", "learning", "health"), seen, strict=True)))
        case StartProcess(edition=release):
            return _start(world, scope, int(release))
        case ("spawn", int(id_)):
            return _spawn(world, id_)
        case DrainProcess(process=id_):
            return _drain(world, int(id_))
        case KillProcess(process=id_):
            return kill(world, int(id_))
        case ForgetProcess(process=id_):
            return forget(world, int(id_))
        case FailQueued():
            return _fail_queued(world)
    raise TypeError(action)


def _move(world: World, scope: Scope, region: str, event: str, seen: dict[str, str]) -> World:
    """The store names the old state: if somebody was faster, zero rows change."""
    if getattr(world, region) != seen[region]:
        return world
    if region == "learning":
        return learning.move(world, event)
    if region == "health":
        after = health.HEALTH.follow(world.health, event)
        return world._replace(health=after, wake_asked=world.wake_asked and event != health.FAULT)
    target = service.SERVICE.follow(world.service, event)
    clears_wake = event in (service.READY, service.DRAIN)
    return world._replace(
        service=target,
        is_quiet=False,
        wake_asked=world.wake_asked and not clears_wake,
        sleep_asked=world.sleep_asked and target != service.ASLEEP,
    )


def _start(world: World, scope: Scope, release: int) -> World:
    """Insert the row in one transaction that looks at the application again; then call the runner."""
    may_start = world.status == status.ENABLED and world.service in (service.WAKING, service.AWAKE)
    if not may_start and scope.bug != "a start does not look at the status again":
        return world
    if len(world.processes) >= scope.processes:
        return world
    id_ = min({1, 2, 3, 4} - {p.id for p in world.processes})
    row = Process(id_, processes.STARTING, release, UNKNOWN)
    return world._replace(
        processes=tuple(sorted((*world.processes, row))),
        todo=((("spawn", id_), ()), *world.todo),
        wrong=None if world.status == status.ENABLED else f"a process was started although {world.status}",
    )


def _spawn(world: World, id_: int) -> World:
    return change(world, id_, body=ALIVE) if world.is_runner_up else world


def _drain(world: World, id_: int) -> World:
    row = find(world, id_)
    target = row and processes.PROCESS.target(row.state, processes.DRAIN)
    return change(world, id_, state=target) if target else world


def _fail_queued(world: World) -> World:
    for index, execution in enumerate(world.executions):
        if execution.state == executions.QUEUED:
            return _fail_queued(end(world, index, execution, executions.FAIL))
    return world


def find(world: World, id_: int) -> Process | None:
    return next((p for p in world.processes if p.id == id_), None)


def change(world: World, id_: int, **changes: object) -> World:
    return world._replace(
        processes=tuple(p._replace(**changes) if p.id == id_ else p for p in world.processes)  # type: ignore[arg-type]
    )


def kill(world: World, id_: int) -> World:
    row = find(world, id_)
    if row is None or row.body != ALIVE:
        return world
    return cut_off(change(world, id_, body="dead"), id_)


def forget(world: World, id_: int) -> World:
    world = cut_off(world, id_)
    return world._replace(processes=tuple(p for p in world.processes if p.id != id_))
