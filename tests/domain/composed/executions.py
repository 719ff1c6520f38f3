"""What happens to executions: gateway, processes that answer, writers that are cut off, reaper, callers."""

from collections.abc import Iterator

from domain.composed.explore import CRASH, PERSON, PLATFORM, TIME
from domain.composed.world import ALIVE, DONE, RECEIVED, UNSENT, Execution, Scope, World
from ovd_saas.domain import executions, outcomes, processes, status

RESULTS = (executions.SUCCEED, executions.REJECT)  # FAIL by a process is like them; the reaper's covers its target


def steps(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    seen = set()
    for index, execution in enumerate(world.executions):
        if execution not in seen:  # two equal executions have equal futures
            seen.add(execution)
            yield from _steps_of(world, scope, index, execution)
    if any(e.state == RECEIVED or e.worker or e.writers for e in world.executions):
        yield CRASH, "web dies", _web_dies(world, scope)


def _steps_of(world: World, scope: Scope, index: int, execution: Execution) -> Iterator[tuple[str, str, World]]:
    if execution.state == UNSENT:
        if world.status == status.ENABLED:
            yield PERSON, "caller: sends an execution", _with(world, index, execution._replace(state=RECEIVED))
        return
    if execution.state == RECEIVED:
        committed = execution._replace(state=executions.QUEUED)
        yield PLATFORM, "gateway: commits it, then acknowledges", _with(world, index, committed)
        return
    if execution.state == executions.QUEUED:
        yield from _queued(world, scope, index, execution)
    if execution.state == executions.RUNNING:
        yield from _running(world, scope, index, execution)
    for token in execution.writers:
        late = execution._replace(writers=tuple(t for t in execution.writers if t != token))
        result = executions.SUCCEED
        yield PLATFORM, f"late writer {token}: {result}", _write(world, scope, index, late, token, result)


def _queued(world: World, scope: Scope, index: int, execution: Execution) -> Iterator[tuple[str, str, World]]:
    for process in world.processes:
        if process.state == processes.READY:
            claimed = execution._replace(
                state=executions.EXECUTION.follow(executions.QUEUED, executions.CLAIM),
                attempts=execution.attempts + 1,
                worker=process.id if process.body == ALIVE else 0,
            )
            yield (
                PLATFORM,
                f"gateway: claims for process {process.id}",
                _with(world, index, claimed)._replace(is_quiet=False),
            )
    yield PERSON, "caller: cancels a queued one", end(world, index, execution, executions.CANCEL)
    if scope.with_expiry:
        yield TIME, "reaper: its deadline passed", end(world, index, execution, executions.EXPIRE)


def _running(world: World, scope: Scope, index: int, execution: Execution) -> Iterator[tuple[str, str, World]]:
    token = execution.attempts
    if execution.worker:
        for result in RESULTS:
            done = _write(world, scope, index, execution._replace(worker=0), token, result)
            yield PLATFORM, f"process: {result}", done._replace(is_quiet=False)
    event = outcomes.after_loss(execution.attempts, scope.max_attempts)
    kind = CRASH if execution.worker else PLATFORM  # a partition, or the reaper who finds the lease expired
    yield kind, f"reaper: lease expired, {event}", end(world, index, _cut(execution), event)
    condemned = _condemn(world, execution.worker)
    yield PERSON, "caller: cancels a running one", end(condemned, index, _cut(execution), executions.CANCEL)
    yield TIME, "reaper: it took too long", end(condemned, index, _cut(execution), executions.FAIL)


def _write(world: World, scope: Scope, index: int, execution: Execution, token: int, event: str) -> World:
    """A result arrives: the row changes only while it is running under the writer's lease."""
    held = execution.state == executions.RUNNING and token == execution.attempts
    if execution.state == DONE and scope.bug == "a result does not look at the state":
        return world._replace(wrong="an execution reached a second final state")
    if not held and not (scope.bug == "no fencing" and execution.state == executions.RUNNING):
        return _with(world, index, execution)
    wrong = None if held else f"a result was written with lease {token}, the current one is {execution.attempts}"
    return end(world, index, execution._replace(worker=0), event)._replace(wrong=wrong)


def end(world: World, index: int, execution: Execution, event: str) -> World:
    target = executions.EXECUTION.follow(execution.state, event)
    return _with(world, index, execution._replace(state=target))


def _cut(execution: Execution) -> Execution:
    """Its worker no longer holds a lease, but may not know, or its result may be on the way already."""
    if not execution.worker:
        return execution
    return execution._replace(worker=0, writers=tuple(sorted({*execution.writers, execution.attempts})))


def cut_off(world: World, process: int) -> World:
    """The process is gone; results that were on the way may still arrive."""
    return world._replace(executions=tuple(sorted(_cut(e) if e.worker == process else e for e in world.executions)))


def _condemn(world: World, process: int) -> World:
    return world._replace(
        processes=tuple(p._replace(is_condemned=True) if p.id == process else p for p in world.processes)
    )


def _web_dies(world: World, scope: Scope) -> World:
    """What was only in its memory is gone: requests not committed, results not written."""
    forgotten = tuple(
        sorted(
            e._replace(worker=0, writers=(), state=UNSENT if e.state == RECEIVED else e.state) for e in world.executions
        )
    )
    is_lost = scope.bug == "acknowledged before it is on disk" and any(e.state == RECEIVED for e in world.executions)
    return world._replace(executions=forgotten, wrong="an acknowledged execution is lost" if is_lost else None)


def _with(world: World, index: int, execution: Execution) -> World:
    rows = list(world.executions)
    rows[index] = execution
    if execution.state in executions.FINAL:
        rows[index] = Execution(DONE, writers=execution.writers and (0,))  # 0: a lease that is over
    return world._replace(executions=tuple(sorted(rows)))
