"""Lanes: the ready processes of one application as this server sees them, and the short line before them. Floor 2.

A newcomer gets a seat at once when one is free and nobody waits in the database. Otherwise it stands in line, in
memory, for a moment, as long as what runs is quick; then it becomes a queued row: durable, visible, in fair order.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from uuid import UUID

from ovd_saas.appcore.dispatch_process import LiveProcess

QUICK_SECONDS = 0.2  # a run that takes longer holds up the line
LINE_SECONDS = 1.0
LONGEST_LINE = 256

Seat = asyncio.Future[LiveProcess | None]
Place = tuple[int, Seat]  # the id of the release that is wanted, and who wants it


class Lane:
    """`pump` is called when there is room and somebody waits in the database."""

    def __init__(self, application_id: int, pump: Callable[["Lane"], None]) -> None:
        self.application_id = application_id
        self.processes: dict[UUID, LiveProcess] = {}
        self.has_queue = False  # somebody may wait in the database
        self.is_pumping = False  # a claim is under way
        self._pump = pump
        self._line: dict[str, deque[Place]] = {}  # by caller: round robin over them
        self._waiting = 0

    def room(self, release_id: int | None = None) -> LiveProcess | None:
        """The process with the fewest runs that takes one more."""
        best: LiveProcess | None = None
        for process in self.processes.values():
            is_better = best is None or len(process.runs) < len(best.runs)
            if process.has_room and is_better and release_id in (None, process.release.id):
                best = process
        return best

    @property
    def has_line(self) -> bool:
        return self._waiting > 0

    def serves(self, release_id: int) -> bool:
        return any(process.is_serving and process.release.id == release_id for process in self.processes.values())

    def is_stuck(self) -> bool:
        """Whether something runs that is not quick, so that standing in line would only hide who waits."""
        before = time.monotonic() - QUICK_SECONDS
        return any(run.began < before for process in self.processes.values() for run in process.runs.values())

    async def seat(self, caller: str, release_id: int) -> LiveProcess | None:
        """A process with room, reserved; None when there was none in time."""
        if not self.serves(release_id) or self._waiting >= LONGEST_LINE:
            return None
        if not (self.has_queue or self.is_pumping or self._waiting) and (process := self.room(release_id)):
            process.reserved += 1
            return process
        if self.is_stuck():
            return None
        return await self._stand_in_line(caller, release_id)

    async def _stand_in_line(self, caller: str, release_id: int) -> LiveProcess | None:
        loop = asyncio.get_running_loop()
        seat: Seat = loop.create_future()
        timer = loop.call_later(QUICK_SECONDS, self._reconsider, seat, loop.time() + LINE_SECONDS)
        place = (release_id, seat)
        self._line.setdefault(caller, deque()).append(place)
        self._waiting += 1
        try:
            return await seat
        except asyncio.CancelledError:
            if seat.done() and not seat.cancelled() and (process := seat.result()):
                process.reserved -= 1
            raise
        finally:
            timer.cancel()
            self._waiting -= 1
            self._forget(caller, place)
            self.serve()

    def serve(self) -> None:
        """There may be room: those in the database come first, then the line."""
        if self.has_queue or self.is_pumping:
            if self.room() is not None:
                self._pump(self)
            return
        while self._line and (process := self.room()):
            release_id, seat = self._next()
            if seat.done():
                continue
            if release_id != process.release.id:
                seat.set_result(None)
                continue
            process.reserved += 1
            seat.set_result(process)

    def _reconsider(self, seat: Seat, until: float) -> None:
        loop = asyncio.get_running_loop()
        if seat.done():
            return
        if loop.time() >= until or self.is_stuck():
            seat.set_result(None)
        else:
            loop.call_later(QUICK_SECONDS, self._reconsider, seat, until)

    def _forget(self, caller: str, place: Place) -> None:
        waiting = self._line.get(caller)
        if waiting is not None and place in waiting:
            waiting.remove(place)
            if not waiting:
                del self._line[caller]

    def _next(self) -> Place:
        caller = next(iter(self._line))
        waiting = self._line.pop(caller)
        entry = waiting.popleft()
        if waiting:
            self._line[caller] = waiting  # to the end: it is the others' turn
        return entry
