"""The invariants of the life cycle, on one state of the composed application."""

from domain.composed.appcore import plan
from domain.composed.world import ALIVE, DONE, RECEIVED, UNSENT, Scope, World
from ovd_saas.domain import executions, learning, models, processes, service, status


def broken(world: World, scope: Scope) -> str | None:
    """The invariant that this state breaks, as a sentence; None when all hold."""
    if world.wrong is not None:
        return world.wrong
    if len(world.runs) > 1:
        return f"{len(world.runs)} learning runs are open at once"
    active = sum(v.state == models.ACTIVE for v in world.versions)
    if active > 1 or (world.was_promoted and active == 0):
        return f"{active} model versions are active"
    for execution in world.executions:
        if execution.worker and execution.state != executions.RUNNING:
            return f"a process works on an execution that is {execution.state}"
    return _rest(world, scope)


def _rest(world: World, scope: Scope) -> str | None:
    """Where nothing is left to plan, the processes must be those that the state promises."""
    if world.todo or plan(world, scope):
        return None
    living = [p for p in world.processes if p.state in processes.LIVING]
    serving = [p for p in living if p.state != processes.DRAINING]
    if world.is_runner_up:
        if world.service == service.ASLEEP and serving:
            return "asleep, at rest, and a process still serves"
        if world.status != status.ENABLED and serving:
            return f"{world.status}, at rest, and a process still serves"
    if world.service == service.AWAKE and not any(p.state == processes.READY for p in living):
        return "awake, at rest, and no process is ready"
    if world.service in (service.WAKING, service.DRAINING) and not living:
        return f"{world.service}, at rest, and no process will move it on"
    return None


def is_asleep(world: World) -> bool:
    return world.service == service.ASLEEP and not any(p.body == ALIVE for p in world.processes)


def is_retired(world: World) -> bool:
    is_at_rest = world.learning == learning.RESTING and not world.runs
    return world.status == status.RETIRED and is_asleep(world) and is_at_rest


def is_answered(world: World) -> bool:
    """Nothing that was acknowledged is still open, or a person decided that it waits."""
    if world.status in (status.SUSPENDED, status.DRAFT):
        return True
    return all(e.state in (DONE, UNSENT, RECEIVED) for e in world.executions)
