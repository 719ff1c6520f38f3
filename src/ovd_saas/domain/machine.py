"""Machines: a life cycle as a table, and the questions one asks it. Floor 0: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class IllegalTransition(ValueError):
    """A machine has no transition for this event in this state; the message names what it allows."""


@dataclass(frozen=True)
class Transition:
    """One row of a table: in `source`, `event` leads to `target`."""

    source: str  # state before
    event: str  # imperative, what is asked
    target: str  # state after
    by: str  # who causes it: person, user, AppCore, runner, process, trigger …
    says: str  # one sentence for the docs and the timeline


@dataclass(frozen=True)
class Machine:
    """A finite machine. It refuses to exist when its table contradicts itself: importing it is a check."""

    name: str  # the noun or region: service, learning, execution …
    initial: str  # state of a new one
    final: tuple[str, ...]  # states that nothing leaves
    states: Mapping[str, str]  # state → who moves it on
    transitions: tuple[Transition, ...]

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"Machine {self.name!r}: " + "; ".join(problems))

    def _problems(self) -> Iterable[str]:
        seen: set[tuple[str, str]] = set()
        for row in self.transitions:
            for state in (row.source, row.target):
                if state not in self.states:
                    yield f"{state!r} is not one of its states"
            if (row.source, row.event) in seen:
                yield f"{row.event!r} in {row.source!r} is defined twice"
            seen.add((row.source, row.event))
        if self.initial not in self.states:
            yield f"initial state {self.initial!r} is not one of its states"
            return
        ends = {state for state in self.states if not self.legal(state)}
        if ends != set(self.final):
            yield f"nothing leaves {sorted(ends)}, but final states are {sorted(self.final)}"
        unreached = set(self.states) - self.reachable(self.initial)
        if unreached:
            yield f"no way leads from {self.initial!r} to {sorted(unreached)}"

    @property
    def events(self) -> tuple[str, ...]:
        """Each event once, in the order of the table."""
        return tuple(dict.fromkeys(row.event for row in self.transitions))

    def row(self, state: str, event: str) -> Transition | None:
        """The row for an event in a state, or None when the table has none."""
        self._known(state)
        return next((row for row in self.transitions if row.source == state and row.event == event), None)

    def target(self, state: str, event: str) -> str | None:
        """The state after, or None when the event is not legal in this state."""
        row = self.row(state, event)
        return row.target if row else None

    def follow(self, state: str, event: str) -> str:
        """The state after; raises IllegalTransition when the table has no such row."""
        target = self.target(state, event)
        if target is None:
            legal = ", ".join(self.legal(state)) or "nothing, it is final"
            raise IllegalTransition(f"{self.name}: {event!r} is not possible in state {state!r}. Possible: {legal}.")
        return target

    def legal(self, state: str) -> tuple[str, ...]:
        """The events that are possible in a state, in the order of the table."""
        self._known(state)
        return tuple(row.event for row in self.transitions if row.source == state)

    def sources(self, event: str) -> tuple[str, ...]:
        """The states in which an event is possible; a store puts them into its `WHERE state IN`."""
        return tuple(row.source for row in self.transitions if row.event == event)

    def is_final(self, state: str) -> bool:
        """Whether nothing can happen to it any more."""
        self._known(state)
        return state in self.final

    def reachable(self, state: str) -> frozenset[str]:
        """The states that some sequence of events leads to, with `state` itself."""
        found = {state}
        todo = [state]
        while todo:
            here = todo.pop()
            for row in self.transitions:
                if row.source == here and row.target not in found:
                    found.add(row.target)
                    todo.append(row.target)
        return frozenset(found)

    def is_path(self, state: str, goals: Iterable[str]) -> bool:
        """Whether some sequence of events leads from `state` to one of `goals`."""
        return not self.reachable(state).isdisjoint(goals)

    def _known(self, state: str) -> None:
        if state not in self.states:
            raise KeyError(f"{self.name} has no state {state!r}; it has {', '.join(self.states)}")
