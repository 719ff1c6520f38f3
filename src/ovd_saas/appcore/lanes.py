"""Lanes: the ready processes of one application as this server sees them, and the short line before them. Floor 2.

A newcomer gets a seat at once when one is free and nobody waits in the database. Otherwise it stands in line, in
memory, for a moment, as long as what runs is quick, or while the application wakes; then it becomes a queued row:
durable, visible, in fair order.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

from ovd_saas.appcore.dispatch_errand import Errand
from ovd_saas.appcore.dispatch_process import LiveProcess
from ovd_saas.appcore.dispatch_watch import READ_SECONDS

QUICK_SECONDS = 0.2  # a run that takes longer holds up the line
LINE_SECONDS = 1.0
LONGEST_LINE = 256
_LOOK_SECONDS = 0.1  # how often somebody looks at the line

Begin = Callable[[LiveProcess, Errand], None]


class Lane:
    """`begin` is called with an errand and the process it goes to, `pump` when there is room and somebody waits in the
    database, `want` when somebody stands in line and there is no process at all."""

    def __init__(
        self, application_id: int, begin: Begin, pump: Callable[["Lane"], None], want: Callable[[Errand], None]
    ) -> None:
        self.application_id = application_id
        self.processes: dict[UUID, LiveProcess] = {}
        self.has_queue = False  # somebody may wait in the database
        self.is_pumping = False  # a claim is under way
        self._begin = begin
        self._pump = pump
        self._want = want
        self._wanted_at = -math.inf  # loop.time()
        self._loop = asyncio.get_running_loop()
        self._line: dict[str, deque[Errand]] = {}  # by caller: round robin over them
        self._length = 0
        self._alarm: asyncio.TimerHandle | None = None  # while somebody stands in line

    def room(self) -> LiveProcess | None:
        """The process with the fewest runs that takes one more."""
        return self._emptiest([process for process in self.processes.values() if process.has_room])

    @property
    def has_line(self) -> bool:
        return self._length > 0

    def serves(self, release_id: int) -> bool:
        return any(process.is_serving and process.release.id == release_id for process in self.processes.values())

    def is_stuck(self) -> bool:
        """Whether something runs that is not quick, so that standing in line would only hide who waits."""
        before = time.monotonic() - QUICK_SECONDS
        return any(run.began < before for process in self.processes.values() for run in process.runs.values())

    def take(self, errand: Errand) -> None:
        """It is begun, stands in line, or is done: there is nobody to go to."""
        if self._length >= LONGEST_LINE:
            errand.finish()
        elif not self.serves(errand.release_id):
            self._take_asleep(errand)
        elif not self._length and not self._is_behind and (process := self._seat(errand.release_id)):
            self._begin(process, errand)
        elif self.is_stuck():
            errand.finish()
        else:
            self._stand_in_line(errand)

    def _take_asleep(self, errand: Errand) -> None:
        """It stands in line while its process is on the way, or is asked for now."""
        if any(process.is_coming and process.release.id == errand.release_id for process in self.processes.values()):
            self._stand_in_line(errand)
        elif self.processes:
            errand.finish()
        else:
            self._stand_in_line(errand)
            if self._loop.time() - self._wanted_at > QUICK_SECONDS:
                self._wanted_at = self._loop.time()
                self._want(errand)

    def serve(self) -> None:
        """There may be room: those in the database come first, then the line."""
        if self._is_behind:
            if self.room() is not None:
                self._pump(self)
            return
        while self._line and (process := self._seat()):
            errand = self._next()
            if errand.done.done():
                continue
            if errand.release_id == process.release.id:
                self._begin(process, errand)
            else:
                errand.finish()

    @property
    def _is_behind(self) -> bool:
        """Somebody waits, or may wait, in the database."""
        return self.has_queue or self.is_pumping

    def _seat(self, release_id: int | None = None) -> LiveProcess | None:
        """The process for the next errand: one with room, else one that is so quick that it may have it early."""
        there = [process for process in self.processes.values() if release_id in (None, process.release.id)]
        with_room = [process for process in there if process.has_room]
        if with_room:
            return self._emptiest(with_room)
        return self._emptiest([process for process in there if process.takes_early])

    @staticmethod
    def _emptiest(processes: list[LiveProcess]) -> LiveProcess | None:
        return min(processes, key=lambda process: len(process.runs)) if processes else None

    def _stand_in_line(self, errand: Errand) -> None:
        errand.waits_since = self._loop.time()
        self._line.setdefault(errand.order.caller, deque()).append(errand)
        self._length += 1
        if self._alarm is None:
            self._alarm = self._loop.call_later(_LOOK_SECONDS, self._ring)

    def _ring(self) -> None:
        self._alarm = self._loop.call_later(READ_SECONDS, self._reconsider)

    def _reconsider(self) -> None:
        """Whoever stands in line for too long, or behind something that is not quick, goes to the database: a waking
        that takes long, too."""
        now = self._loop.time()
        is_slow = self.is_stuck() or not any(process.is_serving for process in self.processes.values())
        before = now - (QUICK_SECONDS if is_slow else LINE_SECONDS)
        for caller, waiting in [*self._line.items()]:
            while waiting and (waiting[0].waits_since <= before or waiting[0].done.done()):
                waiting.popleft().finish()
                self._length -= 1
            if not waiting:
                del self._line[caller]
        self._alarm = self._loop.call_later(_LOOK_SECONDS, self._ring) if self._line else None

    def _next(self) -> Errand:
        caller = next(iter(self._line))
        waiting = self._line.pop(caller)
        errand = waiting.popleft()
        self._length -= 1
        if waiting:
            self._line[caller] = waiting  # to the end: it is the others' turn
        return errand
