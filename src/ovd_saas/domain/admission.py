"""Admission: what of a machine's memory a process may have, who waits for it, and who gives it. Floor 0: pure.

Memory is admitted, not hoped for: each process holds what its manifest asks for until it has ended. What does not fit
waits. Who has waited longest is next; nobody who came later takes what it waits for, unless that does not come free by
itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

JUST_WOKEN = timedelta(seconds=10)  # so long a process that nobody has used yet is left alone
SETTLED = timedelta(seconds=10)  # so long an application has been idle before it makes room for what can wait
LONGEST_NAME = 100  # characters of a machine's name in a sentence
WAITS = "Waits for memory"  # how the sentences of those begin that wait


@dataclass(frozen=True)
class Waiting:
    """An application that waits for memory, for somebody who waits for it."""

    application: int  # id
    needs_mb: int
    since: datetime


@dataclass(frozen=True)
class Memory:
    """The memory of a machine that is for processes of applications, and who wants it."""

    total_mb: int
    held_mb: int = 0  # by processes that have not ended
    fixed_mb: int = 0  # of it by those that do not end soon by themselves: that learn, evaluate or are kept awake
    leaving_mb: int = 0  # of it by those that end as soon as they can, and run nothing any more
    waiting: tuple[Waiting, ...] = ()

    @property
    def free_mb(self) -> int:
        return max(self.total_mb - self.held_mb, 0)

    def reserved_mb(self, application: int | None, since: datetime | None) -> int:
        """What those get first who have waited longer than this application; None: than a learning task, or whoever
        can do without. What is not to be had, however many fall asleep, is not kept for them."""
        return sum(
            other.needs_mb
            for other in self.waiting
            if other.application != application
            and (since is None or other.since < since)
            and other.needs_mb <= self.total_mb - self.fixed_mb
        )


@dataclass(frozen=True)
class Holder:
    """An application that is awake and does nothing, as far as anybody knows."""

    application: int  # id
    holds_mb: int
    idle_since: datetime  # end of its last execution; when it got ready if that is later
    is_unused: bool  # nobody has used it since it got ready


def why_drained(machine: str, since: datetime) -> str:
    """Why nothing starts on a machine that a person is emptying, as a sentence."""
    name = machine if len(machine) <= LONGEST_NAME else machine[: LONGEST_NAME - 1] + "…"
    when = since.astimezone(UTC)
    return (
        f"Machine {name} is being drained since {when:%d %b, %H:%M} UTC: nothing starts there until a person ends that."
    )


def is_too_large(needs_mb: int, total_mb: int | None) -> bool:
    """Whether it will never fit."""
    return total_mb is not None and needs_mb > total_mb


def why_too_large(needs_mb: int, total_mb: int | None) -> str:
    return (
        f"It needs {needs_mb:,} MB of memory, and the machine has {total_mb or 0:,} MB for applications. "
        "Lower memory_mb in its manifest, or raise OVD_MEMORY_MB of the runner."
    )


def why_wait(needs_mb: int, memory: Memory, *, application: int | None, since: datetime | None) -> str | None:
    """Why a process of so much memory may not start now, as a sentence; None when it may. `application` and `since`
    say who wants it and since when somebody has waited; None: nobody has."""
    reserved = memory.reserved_mb(application, since)
    if needs_mb <= memory.free_mb - reserved:
        return None
    free = f"needs {needs_mb:,} MB, {memory.free_mb:,} of {memory.total_mb:,} MB are free"
    if needs_mb <= memory.free_mb:
        return f"{WAITS}: {free}, for those who have waited longer."
    return f"{WAITS}: {free}."


def give_way(
    needs_mb: int,
    memory: Memory,
    holders: Iterable[Holder],
    *,
    application: int | None,
    since: datetime | None,
    now: datetime,
    settled: timedelta = timedelta(0),
) -> tuple[Holder, ...]:
    """Those that fall asleep to make room, idle longest first, no more than it takes with what is about to be free.

    What they give is kept for whom they gave it, so that it may be less than it takes. Nobody does where that would
    never be enough. Only who has been idle for `settled`; who was just woken has had no time to be of use.
    """
    if needs_mb > memory.total_mb - memory.fixed_mb:
        return ()
    lacking = needs_mb + memory.reserved_mb(application, since) - memory.free_mb - memory.leaving_mb
    chosen: list[Holder] = []
    for holder in sorted(holders, key=lambda one: (one.idle_since, one.application)):
        idle = now - holder.idle_since
        if lacking <= 0:
            break
        if idle < settled or (holder.is_unused and idle < JUST_WOKEN):
            continue
        chosen.append(holder)
        lacking -= holder.holds_mb
    return tuple(chosen)
