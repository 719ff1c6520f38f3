"""All that can happen to the composed application, together."""

from collections.abc import Iterator

from domain.composed import appcore, executions, learning, people, runner
from domain.composed.explore import Exploration, explore
from domain.composed.invariants import broken
from domain.composed.world import Scope, World, canonical, first


def steps(world: World, scope: Scope) -> Iterator[tuple[str, str, World]]:
    for part in (people, appcore, executions, runner, learning):
        for kind, label, after in part.steps(world, scope):
            after = canonical(after)
            if after != world:
                yield kind, label, after


def explored(scope: Scope) -> Exploration[World]:
    """Every reachable state in this scope; raises Counterexample when an invariant is broken."""
    return explore(first(scope), lambda world: steps(world, scope), lambda world: broken(world, scope))
