"""Watches: looks at living processes, and ends those over a bound: where a control group holds them, what it counted;
elsewhere what /proc says. Built so that hundreds of processes cost less than a hundredth of a processor."""

import os
from collections.abc import Collection
from typing import Protocol

from ovd_saas.runner import footprints, priorities
from ovd_saas.runner.cgroups import Group
from ovd_saas.runner.footprints import Footprint
from ovd_saas.runner.hierarchies import CPU, MEMORY, TASKS
from ovd_saas.runner.quotas import Quota
from ovd_saas.runner.sandbox import MB, Limits

TICK = 0.25  # seconds between two looks at processes that no group holds
GROUPS = 4  # every so many ticks, what groups counted
TREES = 8  # every so many ticks, children too where no group holds them: a look at each process of the machine
STARVED = 0.05  # seconds of processor time between two looks at groups, below which one that gives way has next to none
STARVED_LOOKS = 3  # one after another, then it has a turn
GROWTH = 1.05  # a process measured exactly, and found within its limit, is measured again when it grew so much


class Watched(Protocol):
    """A living process with its bounds."""

    pid: int
    limits: Limits
    group: Group | None
    quota: Quota | None
    inherited_bytes: int  # pages that it was born with: its template's, for which it is not to blame
    must_give_way: bool

    def kill(self, reason: str) -> None: ...


class Watch:
    """Remembers what it saw, so that it need not look so often."""

    def __init__(self) -> None:
        self._ticks = 0
        self._fine: dict[int, int] = {}  # process: resident bytes with which it was within its limit
        self._turns: dict[int, tuple[float, int]] = {}  # process: processor seconds, and looks since it had any
        self._open: dict[int, int] = {}  # process: the file that tells its resident pages; opening is what is dear

    def look(self, watched: Collection[Watched]) -> None:
        """Call it every TICK."""
        self._ticks += 1
        free = [child for child in watched if child.group is None or not child.group.holds]
        if free and self._ticks % TREES == 0:
            trees = footprints.trees({child.pid for child in free})
            for child in free:
                self._judge(child, trees[child.pid])
        else:
            for child in free:
                self._glance(child)
        if self._ticks % GROUPS == 0:
            for child in watched:
                if child.group is not None and (breach := child.group.breach()) is not None:
                    child.kill(breach)
                if child.must_give_way:
                    self._give_way(child)
            self._forget({child.pid for child in free})
            self._turns = {child.pid: self._turns[child.pid] for child in watched if child.pid in self._turns}

    def _judge(self, child: Watched, footprint: Footprint) -> None:
        """With its children, what no group bounds."""
        resident = footprint.rss_bytes - child.inherited_bytes
        if not _is_bound(child, MEMORY) and self._is_too_large(child, resident, footprint.pids):
            child.kill("memory")
        elif not _is_bound(child, TASKS) and footprint.tasks >= child.limits.tasks:
            child.kill("tasks")

    def _give_way(self, child: Watched) -> None:
        """Others go first; but where they leave nothing at all, nothing would ever be learned: then it has a turn now
        and again."""
        if child.group is None or not child.group.bounds(CPU):
            child.must_give_way = not priorities.give_way(child.pid)
            return
        before, looks = self._turns.get(child.pid, (0.0, 0))
        _, used = child.group.usage()
        is_starved = used - before < STARVED
        child.group.take_turn(is_turn=is_starved and looks == STARVED_LOOKS)
        self._turns[child.pid] = (used, looks % STARVED_LOOKS + 1 if is_starved else 0)

    def _glance(self, child: Watched) -> None:
        """At the process alone. One that was found within its limit must grow to be suspected again."""
        resident = self._resident(child.pid) - child.inherited_bytes
        is_suspect = resident > GROWTH * self._fine.get(child.pid, 0)
        if is_suspect and not _is_bound(child, MEMORY) and self._is_too_large(child, resident, [child.pid]):
            child.kill("memory")

    def _is_too_large(self, child: Watched, resident: int, pids: Collection[int]) -> bool:
        """Resident pages are counted once for each process and come with files that the kernel can drop, so they
        raise a suspicion only. Exact is what each holds of pages of its own and of shared memory, divided by the number
        of their users; its template's can be no more of that than it was born with."""
        limit = child.limits.memory_mb * MB
        if resident <= limit:
            return False
        self._fine[child.pid] = resident
        return footprints.shared_fairly(pids, ("Pss_Anon:", "Pss_Shmem:")) - child.inherited_bytes > limit

    def _resident(self, pid: int) -> int:
        """Bytes; 0 when the process has ended."""
        try:
            if pid not in self._open:
                self._open[pid] = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
            return int(os.pread(self._open[pid], 64, 0).split()[1]) * footprints.PAGE
        except (OSError, IndexError):
            self._close(pid)
            return 0

    def _forget(self, known: Collection[int]) -> None:
        self._fine = {pid: size for pid, size in self._fine.items() if pid in known}
        for pid in self._open.keys() - known:
            self._close(pid)

    def _close(self, pid: int) -> None:
        if pid in self._open:
            os.close(self._open.pop(pid))


def _is_bound(child: Watched, controller: str) -> bool:
    return child.group is not None and child.group.bounds(controller)
