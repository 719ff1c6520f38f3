"""The state of the composed application, and how much of it an exploration covers."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ovd_saas.domain import health, learning, processes, service, status

UNSENT = "unsent"  # an execution the client has not sent yet
RECEIVED = "received"  # in the memory of web only: not on disk, not acknowledged
DONE = "done"  # in one of the final states; which one makes no difference to what can happen

ALIVE = "alive"  # the operating system runs it, the runner knows it
DEAD = "dead"  # it exited; the runner will say so
UNKNOWN = "unknown"  # the runner does not know it: not spawned yet, or the runner died


class Execution(NamedTuple):
    state: str = UNSENT
    attempts: int = 0  # times it was claimed; also the token of its current lease
    worker: int = 0  # id of the process that works on it under the current lease, 0 = none
    writers: tuple[int, ...] = ()  # tokens of cut-off writers that may still try to write a result


class Process(NamedTuple):
    id: int
    state: str
    release: int
    body: str  # ALIVE, DEAD or UNKNOWN
    is_condemned: bool = False


class Run(NamedTuple):
    """An open learning run."""

    state: str
    attempts: int = 0  # also the token of its current lease
    has_learner: bool = False
    writers: tuple[int, ...] = ()
    parent: frozenset[int] = frozenset()  # batches the parent version has learned
    snapshot: frozenset[int] | None = None  # batches this run learns


class Version(NamedTuple):
    """A model version that is not rejected."""

    state: str
    learned: frozenset[int]  # batches, over its whole lineage
    parent: frozenset[int]  # batches its parent had learned


class World(NamedTuple):
    status: str = status.DRAFT
    service: str = service.ASLEEP
    health: str = health.HEALTHY
    wake_asked: bool = False
    sleep_asked: bool = False
    failures: int = 0
    is_retry_early: bool = False  # the pause after a failed start is not over
    is_quiet: bool = False  # nobody used it for `sleep_after`
    release: int = 1
    is_runner_up: bool = True
    processes: tuple[Process, ...] = ()
    executions: tuple[Execution, ...] = ()
    learning: str = learning.RESTING
    runs: tuple[Run, ...] = ()
    versions: tuple[Version, ...] = ()
    was_promoted: bool = False
    batches: int = 0  # delivered so far
    todo: tuple[object, ...] = ()  # what is left of the plan AppCore is doing
    wrong: str | None = None  # the invariant a step has broken


@dataclass(frozen=True)
class Scope:
    """How much an exploration covers, and which bug it is seeded with."""

    executions: int = 1
    max_attempts: int = 2
    processes: int = 2  # room on the machine
    releases: int = 1
    max_start_failures: int = 2
    on_wake: str = learning.TOGETHER
    batches: int = 0  # 0 = the application does not learn
    run_attempts: int = 2
    with_learning: bool = False
    with_runner_crashes: bool = True
    with_expiry: bool = True
    with_wishes: bool = True  # people press Wake and Sleep
    with_status: bool = True  # people suspend, enable again and retire
    is_plan_stale: bool = False  # anything may happen between seeing and doing, and between two actions
    bug: str | None = None  # a seeded bug, named where it is
    unplanned: str | None = None  # a seeded bug: name of an action that the plan leaves out


def first(scope: Scope) -> World:
    return World(executions=(Execution(),) * scope.executions)


def canonical(world: World) -> World:
    """The same world with everything forgotten that makes no difference to what can happen.

    Processes are numbered by what they are; of a body that is gone only its way of going matters, and only while
    it was starting; quiet matters awake. (Ids that AppCore holds in a plan keep their numbers.)
    """
    if world.is_quiet and world.service != service.AWAKE:
        world = world._replace(is_quiet=False)
    if not world.processes or world.todo:
        return world
    renumbered, numbers = _renumbered(world.processes)
    if renumbered == world.processes:
        return world
    executions = tuple(sorted(e._replace(worker=numbers[e.worker]) if e.worker else e for e in world.executions))
    return world._replace(processes=renumbered, executions=executions)


@cache
def _renumbered(rows: tuple[Process, ...]) -> tuple[tuple[Process, ...], dict[int, int]]:
    ordered = sorted(map(_forgetful, rows), key=lambda p: (p.state, p.release, p.body, p.is_condemned, p.id))
    numbers = {p.id: number for number, p in enumerate(ordered, 1)}
    return tuple(p._replace(id=numbers[p.id]) for p in ordered), numbers


def _forgetful(process: Process) -> Process:
    if process.body == ALIVE:
        return process
    body = process.body if process.state == processes.STARTING else UNKNOWN
    return process._replace(body=body, is_condemned=False)
