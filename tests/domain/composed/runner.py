"""What happens to processes: they get ready, finish, exit and die; so does their runner."""

from collections.abc import Iterator

from domain.composed.appcore import change, find, forget, kill
from domain.composed.executions import cut_off
from domain.composed.explore import CRASH, PLATFORM
from domain.composed.world import ALIVE, DEAD, UNKNOWN, Process, Scope, World
from ovd_saas.domain import processes


def steps(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    for process in world.processes:
        yield from _steps_of(world, scope, process)
    if not world.is_runner_up:
        yield PLATFORM, "runner: is back", world._replace(is_runner_up=True)
    elif scope.with_runner_crashes:
        yield CRASH, "runner dies, and its processes with it", _runner_dies(world)


def _steps_of(world: World, scope: Scope, process: Process) -> Iterator[tuple[str, str, World]]:
    if process.body == DEAD:
        yield PLATFORM, f"runner: says that process {process.id} exited", _exited(world, scope, process)
    if process.body != ALIVE:
        return
    yield CRASH, f"process {process.id} dies", kill(world, process.id)
    if process.state == processes.STARTING:
        ready = processes.PROCESS.follow(process.state, processes.ANSWER)
        yield (
            PLATFORM,
            f"process {process.id}: is ready",
            change(world, process.id, state=ready)._replace(failures=0, is_retry_early=False, is_quiet=False),
        )
    is_busy = any(e.worker == process.id for e in world.executions)
    if process.state == processes.DRAINING and not is_busy:
        yield PLATFORM, f"process {process.id}: has drained and exits", change(world, process.id, body=DEAD)


def _exited(world: World, scope: Scope, process: Process) -> World:
    row = find(world, process.id)
    world = forget(world, process.id)
    if row is None or row.state != processes.STARTING:
        return world
    return world._replace(failures=min(world.failures + 1, scope.max_start_failures), is_retry_early=True)


def _runner_dies(world: World) -> World:
    for process in world.processes:
        world = cut_off(change(world, process.id, body=UNKNOWN), process.id)
    return world._replace(is_runner_up=False)
