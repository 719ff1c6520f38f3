"""Watches: looks at living processes, and ends those over a bound: where a control group holds them, what it counted;
elsewhere what /proc says. Built so that hundreds of processes cost less than a hundredth of a processor."""

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

    def look(self, watched: Collection[Watched]) -> None:
        """Call it every TICK."""
        self._ticks += 1
        free = [child for child in watched if not _holds(child, MEMORY) or not _holds(child, TASKS)]
        is_full = self._ticks % TREES == 0
        trees = footprints.trees({child.pid for child in free}) if is_full and free else None
        for child in free:
            self._judge(child, footprints.one(child.pid) if trees is None else trees[child.pid], is_full=is_full)
        if self._ticks % GROUPS == 0:
            for child in watched:
                if child.group is not None and (breach := child.group.breach()) is not None:
                    child.kill(breach)
                if child.must_give_way and not _holds(child, CPU):
                    child.must_give_way = not priorities.give_way(child.pid)
            self._fine = {child.pid: self._fine[child.pid] for child in free if child.pid in self._fine}

    def _judge(self, child: Watched, footprint: Footprint, *, is_full: bool) -> None:
        """What no group bounds."""
        if not _holds(child, MEMORY) and self._is_too_large(child, footprint, is_full=is_full):
            child.kill("memory")
        elif not _holds(child, TASKS) and footprint.tasks >= child.limits.tasks:
            child.kill("tasks")

    def _is_too_large(self, child: Watched, footprint: Footprint, *, is_full: bool) -> bool:
        """Resident pages are counted once for each process and come with files that the kernel can drop, so they
        raise a suspicion only. Exact is what each holds of pages of its own and of shared memory, divided by the number
        of their users; its template's can be no more of that than it was born with."""
        limit = child.limits.memory_mb * MB
        suspicion = footprint.rss_bytes - child.inherited_bytes
        if suspicion <= limit or (not is_full and suspicion <= GROWTH * self._fine.get(child.pid, 0)):
            return False
        exact = footprints.shared_fairly(footprint.pids, ("Pss_Anon:", "Pss_Shmem:"))
        self._fine[child.pid] = suspicion
        return exact - child.inherited_bytes > limit


def _holds(child: Watched, controller: str) -> bool:
    return child.group is not None and child.group.bounds(controller)
