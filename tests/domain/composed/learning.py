"""What happens to learning: batches, triggers, runs under a lease, candidates, gate, promotion, rollback."""

from collections.abc import Iterator

from domain.composed.explore import CRASH, PERSON, PLATFORM
from domain.composed.world import Run, Scope, Version, World
from ovd_saas.domain import learning, learning_runs, models, outcomes, status

REGION = learning.LEARNING_REGION
RUN = learning_runs.LEARNING_RUN
NONE: frozenset[int] = frozenset()


def steps(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    if not scope.with_learning:
        return
    yield from _data(world, scope)
    yield from _versions(world, scope)
    for run in world.runs:
        yield from _run(world, scope, run)


def _data(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    if world.batches < scope.batches and world.status != status.RETIRED:
        yield PERSON, "source: delivers a batch", world._replace(batches=world.batches + 1)
    is_open = bool(world.runs) or world.learning != learning.RESTING
    if is_open and scope.bug != "a trigger does not look for an open run":
        return
    if len(world.runs) < 2 and _pending(world) and world.status == status.ENABLED:
        region = REGION.target(world.learning, learning.TRIGGER) or world.learning
        yield (
            PLATFORM,
            "trigger: learning is due",
            world._replace(learning=region, runs=(*world.runs, Run(learning_runs.QUEUED))),
        )


def _run(world: World, scope: Scope, run: Run) -> Iterator[tuple[str, str, World]]:
    if run.state in (learning_runs.QUEUED, learning_runs.PAUSED) and world.learning == learning.DUE:
        yield from _begin(world, scope, run)
    if run.state == learning_runs.RUNNING:
        yield from _learning(world, scope, run)
    if run.state == learning_runs.EVALUATING:
        yield from _evaluating(world, scope, run)
    for token in run.writers:
        late = run._replace(writers=tuple(t for t in run.writers if t != token))
        yield PLATFORM, f"late learner {token}: stores a candidate", _store(world, scope, run, late, token)
    if REGION.target(world.learning, learning.CANCEL):
        yield PERSON, "person: cancels learning", move(world, learning.CANCEL)


def _begin(world: World, scope: Scope, run: Run) -> Iterator[tuple[str, str, World]]:
    why_not = learning.why_not_begin(status=world.status, service=world.service, on_wake=scope.on_wake)
    if why_not is not None and scope.bug != "learning begins without asking":
        return
    parent = run.parent if run.snapshot is not None else _active(world)
    known = frozenset(range(1, world.batches + 1))
    fresh = known if scope.bug == "a snapshot holds what is learned already" else known - parent
    begun = run._replace(
        state=RUN.follow(run.state, learning_runs.BEGIN),
        attempts=run.attempts + 1 if run.state == learning_runs.QUEUED else run.attempts,
        has_learner=True,
        writers=run.writers,
        parent=parent,
        snapshot=run.snapshot if run.snapshot is not None else fresh,
    )
    wrong = None if world.status == status.ENABLED else f"learning began although {world.status}"
    if begun.snapshot and begun.snapshot & parent:
        wrong = "a batch is learned twice in one lineage"
    after = _with(world, run, begun)
    yield (
        PLATFORM,
        "AppCore: learning begins",
        after._replace(learning=REGION.follow(world.learning, learning.BEGIN), wrong=wrong),
    )


def _learning(world: World, scope: Scope, run: Run) -> Iterator[tuple[str, str, World]]:
    if run.has_learner:
        done = run._replace(has_learner=False)
        yield PLATFORM, "learner: stores a candidate", _store(world, scope, run, done, run.attempts)
        yield PLATFORM, "learner: fails", _close(world, run, learning.FAIL)
        yield CRASH, "the learning process dies or is cut off", _with(world, run, _cut(run))
        if world.learning == learning.YIELDING:
            paused = run._replace(state=RUN.follow(run.state, learning_runs.PAUSE), has_learner=False)
            yield (
                PLATFORM,
                "learner: has stored its checkpoint",
                _with(world, run, paused)._replace(learning=REGION.follow(world.learning, learning.PAUSE)),
            )
    else:
        yield PLATFORM, "reaper: the learner's lease expired", _lost(world, scope, run)


def _evaluating(world: World, scope: Scope, run: Run) -> Iterator[tuple[str, str, World]]:
    candidate = _candidates(world)[-1]
    yield PLATFORM, "gate: rejects", _reject(_settled(world, run), candidate)
    yield PLATFORM, "gate: promotes", _promote(_settled(world, run), candidate, scope)
    yield PLATFORM, "gate: asks a person", _settled(world, run)
    yield PLATFORM, "gate: cannot be computed", _close(_reject(world, candidate), run, learning.FAIL)


def _versions(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    if scope.bug == "promotion in two transactions" and world.was_promoted and not _has_active(world):
        for version in world.versions:
            if version.state == models.CANDIDATE:
                yield PLATFORM, "gate: second transaction", _promote_one(world, version)
    for version in _waiting(world):
        yield PERSON, "person: approves a candidate", _promote(world, version, scope)
        yield PERSON, "person: declines a candidate", _reject(world, version)
    for version in world.versions:
        if version.state == models.RETIRED:
            yield PERSON, "person: rolls back", _swap(world, version, models.RESTORE)


def move(world: World, event: str) -> World:
    """A region's event that is not the run's own: it gives way, or is cancelled."""
    if REGION.target(world.learning, event) is None:
        return world
    if event == learning.CANCEL and world.runs:
        is_evaluating = world.learning == learning.EVALUATING
        rejected = _reject(world, _candidates(world)[-1]) if is_evaluating else world
        return _close(rejected, world.runs[0], learning.CANCEL)
    return world._replace(learning=REGION.follow(world.learning, event))


def _store(world: World, scope: Scope, run: Run, after: Run, token: int) -> World:
    """The learner hands its model in: refused unless it holds the current lease of a running run."""
    held = run.state == learning_runs.RUNNING and token == run.attempts
    if not held and not (scope.bug == "no fencing" and run.state == learning_runs.RUNNING):
        return _with(world, run, after)
    candidate = Version(models.CANDIDATE, run.parent | (run.snapshot or NONE), run.parent)
    stored = after._replace(state=RUN.follow(run.state, learning_runs.EVALUATE), has_learner=False)
    older = _candidates(world)[:-1]  # one may wait for a person beside the new one
    kept = tuple(v for v in world.versions if v not in older)
    return _with(world, run, stored)._replace(
        versions=(*kept, candidate),
        learning=REGION.follow(world.learning, learning.EVALUATE),
        wrong=None if held else f"a candidate was stored with lease {token}, the current one is {run.attempts}",
    )


def _lost(world: World, scope: Scope, run: Run) -> World:
    """The reaper finds the lease expired: again while attempts remain, from the same snapshot."""
    if outcomes.after_loss(run.attempts, scope.run_attempts) != learning_runs.REQUEUE:
        return _close(world, run, learning.FAIL)
    again = run._replace(state=RUN.follow(run.state, learning_runs.REQUEUE), has_learner=False)
    lost = learning.PAUSE if world.learning == learning.YIELDING else learning.LOSE
    return _with(world, run, again)._replace(learning=REGION.follow(world.learning, lost))


def _close(world: World, run: Run, event: str) -> World:
    """The run ends without a verdict; its batches are pending again, because no lineage holds them."""
    RUN.follow(run.state, learning_runs.FAIL if event == learning.FAIL else learning_runs.CANCEL)
    return world._replace(
        learning=REGION.follow(world.learning, event), runs=tuple(r for r in world.runs if r is not run)
    )


def _settled(world: World, run: Run) -> World:
    return world._replace(
        learning=REGION.follow(world.learning, learning.SETTLE), runs=tuple(r for r in world.runs if r is not run)
    )


def _candidates(world: World) -> tuple[Version, ...]:
    """Oldest first; while a run is evaluated, the last one is its own."""
    return tuple(v for v in world.versions if v.state == models.CANDIDATE)


def _waiting(world: World) -> tuple[Version, ...]:
    """The candidates that a person decides about."""
    candidates = _candidates(world)
    return candidates[:-1] if world.learning == learning.EVALUATING else candidates


def _promote(world: World, version: Version, scope: Scope) -> World:
    """In one transaction: the active one retires, the candidate takes its place; a stale candidate is rejected."""
    if version.parent != _active(world) and scope.bug != "a stale candidate is promoted":
        return _reject(world, version)
    before = _active(world)
    if scope.bug == "promotion in two transactions" and world.was_promoted:
        return _retire_active(world)
    after = _swap(world, version, models.PROMOTE)
    if scope.bug != "a stale candidate is promoted":
        for other in _waiting(after):
            after = _reject(after, other)
    return after._replace(wrong=None if before <= _active(after) else "a promotion unlearned a batch")


def _swap(world: World, version: Version, event: str) -> World:
    others = _retire_active(world._replace(versions=tuple(v for v in world.versions if v is not version)))
    active = version._replace(state=models.MODEL.follow(version.state, event))
    return _kept(others._replace(versions=(*others.versions, active), was_promoted=True))


def _promote_one(world: World, version: Version) -> World:
    active = version._replace(state=models.MODEL.follow(version.state, models.PROMOTE))
    return world._replace(versions=tuple(active if v is version else v for v in world.versions), was_promoted=True)


def _retire_active(world: World) -> World:
    retired = models.MODEL.follow(models.ACTIVE, models.RETIRE)
    return world._replace(
        versions=tuple(v._replace(state=retired) if v.state == models.ACTIVE else v for v in world.versions)
    )


def _kept(world: World) -> World:
    """Only the newest retired version can be rolled back to here, so that the world stays finite."""
    retired = [v for v in world.versions if v.state == models.RETIRED]
    return world._replace(versions=tuple(v for v in world.versions if v not in retired[:-1]))


def _reject(world: World, version: Version) -> World:
    models.MODEL.follow(version.state, models.REJECT)
    return world._replace(versions=tuple(v for v in world.versions if v is not version))


def _has_active(world: World) -> bool:
    return any(v.state == models.ACTIVE for v in world.versions)


def _active(world: World) -> frozenset[int]:
    return next((v.learned for v in world.versions if v.state == models.ACTIVE), NONE)


def _pending(world: World) -> frozenset[int]:
    return frozenset(range(1, world.batches + 1)) - _active(world)


def _cut(run: Run) -> Run:
    return run._replace(has_learner=False, writers=tuple(sorted({*run.writers, run.attempts})))


def _with(world: World, run: Run, after: Run) -> World:
    return world._replace(runs=tuple(after if r is run else r for r in world.runs))
