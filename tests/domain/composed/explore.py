"""Exploring a finite system breadth first: every reachable state, shortest counterexamples, ways to goals."""

import gc
from array import array
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

PLATFORM = "platform"  # AppCore, gateway, runner and processes do their work
TIME = "time"  # a moment passes
PERSON = "person"  # somebody wants something
CRASH = "crash"  # something dies or is cut off
KINDS = (PLATFORM, TIME, PERSON, CRASH)

State = TypeVar("State", bound=Hashable)


class Counterexample(AssertionError):
    """An invariant is broken; the message holds the shortest way there."""


@dataclass
class Exploration(Generic[State]):
    """All reachable states with all edges between them."""

    states: list[State] = field(default_factory=list)
    parents: list[tuple[int, str]] = field(default_factory=list)  # (state before, label), -1 for the first
    sources: array = field(default_factory=lambda: array("I"))
    targets: array = field(default_factory=lambda: array("I"))
    kinds: bytearray = field(default_factory=bytearray)  # index into KINDS

    def trace(self, index: int) -> str:
        """The shortest way from the first state to this one, a line per step."""
        lines = [f"  = {self.states[index]}"]
        while index > 0:
            index, label = self.parents[index]
            lines.append(f"  {label}")
        return "\n".join(reversed(lines))

    def without_way(self, goal: Callable[[State], bool], kinds: Collection[str]) -> list[int]:
        """The states from which no sequence of events of these kinds leads to a goal."""
        backwards: list[list[int]] = [[] for _ in self.states]
        allowed = {KINDS.index(kind) for kind in kinds}
        for source, target, kind in zip(self.sources, self.targets, self.kinds, strict=True):
            if kind in allowed:
                backwards[target].append(source)
        todo = [index for index, state in enumerate(self.states) if goal(state)]
        reached = bytearray(len(self.states))
        for index in todo:
            reached[index] = 1
        while todo:
            for source in backwards[todo.pop()]:
                if not reached[source]:
                    reached[source] = 1
                    todo.append(source)
        return [index for index, there in enumerate(reached) if not there]


def explore(
    first: State,
    steps: Callable[[State], Iterable[tuple[str, str, State]]],
    broken: Callable[[State], str | None],
    *,
    limit: int = 2_000_000,
) -> Exploration[State]:
    """Every state reachable from the first; raises Counterexample as soon as `broken` names an invariant."""
    gc.disable()  # there are no cycles, and looking for them takes as long as exploring
    try:
        return _explore(first, steps, broken, limit)
    finally:
        gc.enable()


def _explore(
    first: State,
    steps: Callable[[State], Iterable[tuple[str, str, State]]],
    broken: Callable[[State], str | None],
    limit: int,
) -> Exploration[State]:
    found: Exploration[State] = Exploration([first], [(-1, "")])
    index_of = {first: 0}
    position = 0
    while position < len(found.states):
        for kind, label, state in steps(found.states[position]):
            index = index_of.get(state)
            if index is None:
                index = index_of[state] = len(found.states)
                found.states.append(state)
                found.parents.append((position, label))
                problem = broken(state)
                if problem is not None:
                    raise Counterexample(f"{problem}\n{found.trace(index)}")
                if index >= limit:
                    raise OverflowError(f"more than {limit} states")
            found.sources.append(position)
            found.targets.append(index)
            found.kinds.append(KINDS.index(kind))
        position += 1
    return found
