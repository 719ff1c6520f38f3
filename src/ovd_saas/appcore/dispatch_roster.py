"""The roster: lanes kept in step with the rows of living processes. Floor 2."""

import asyncio
import contextlib
from collections.abc import Callable
from uuid import UUID

import structlog
from django.db import Error as DatabaseError

from ovd_saas.appcore import dispatch_rows
from ovd_saas.appcore.dispatch_channel import connect
from ovd_saas.appcore.dispatch_process import HELLO, LiveProcess
from ovd_saas.appcore.dispatch_rows import Living
from ovd_saas.appcore.lanes import Lane
from ovd_saas.store.threads import Threads

log = structlog.get_logger()

_REFRESH_SECONDS = 10.0  # at least so often, whatever notices say
_AGAIN_SECONDS = 1.0  # after something did not answer


class Roster:
    """`refresh` says what may have changed; `follow` looks, and connects to the processes that are new."""

    def __init__(
        self,
        threads: Threads,
        lanes: dict[int, Lane],
        meet: Callable[[Living], LiveProcess],
        open_lane: Callable[[int], Lane],
    ) -> None:
        self._threads = threads
        self._lanes = lanes
        self._meet = meet
        self._open_lane = open_lane
        self._stale: set[int] = set()
        self._everything_is_stale = True
        self._is_stale = asyncio.Event()
        self.queued: set[int] = set()  # applications without a lane for which somebody waits in the database
        self.settle_seconds = 0.0  # between something having changed and a look, for who is in no hurry

    def refresh(self, application_id: int | None = None) -> None:
        """The processes of this application may have changed; None: of any."""
        if application_id is None:
            self._everything_is_stale = True
        else:
            self._stale.add(application_id)
        self._is_stale.set()

    async def follow(self) -> None:
        """Until it is cancelled."""
        while True:
            stale = None if self._everything_is_stale or not self._stale else self._stale
            self._stale, self._everything_is_stale = set(), False
            self._is_stale.clear()
            try:
                rows = await self._threads.call(dispatch_rows.living, stale)
            except DatabaseError as error:
                log.warning("cannot look at the processes", error=str(error).strip())
                self._everything_is_stale = True
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await self._apply(rows, stale)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await self._is_stale.wait()
            if self.settle_seconds:
                await asyncio.sleep(self.settle_seconds)

    async def _apply(self, rows: list[Living], stale: set[int] | None) -> None:
        """Who is new is met before who is old is closed, so that there is always one to go to."""
        for row in rows:
            is_new = row.id not in self._lane(row.application_id).processes
            if is_new and (row.is_open or row.is_coming):
                await self._welcome(row)
        there = {row.id: row for row in rows}
        self.queued |= {row.application_id for row in rows if row.others_wait}
        lanes = [lane for id_, lane in self._lanes.items() if stale is None or id_ in stale]
        for lane in lanes:
            self._update(lane, there)
        for lane in [lane for lane in self._lanes.values() if not lane.processes and not lane.has_line]:
            del self._lanes[lane.application_id]

    def _update(self, lane: Lane, rows: dict[UUID, Living]) -> None:
        for process in [*lane.processes.values()]:
            row = rows.get(process.id)
            process.is_coming = row is not None and row.is_coming and row.is_current and not self.settle_seconds
            process.is_open = row is not None and (row.is_open or (process.is_coming and process.has_answered))
            if row is None and not process.runs:
                process.close()
        if lane.application_id in self.queued:
            self.queued.discard(lane.application_id)
            lane.has_queue = True
        lane.serve()

    def _lane(self, application_id: int) -> Lane:
        lane = self._lanes.get(application_id)
        if lane is None:
            lane = self._lanes[application_id] = self._open_lane(application_id)
        return lane

    async def _welcome(self, row: Living) -> None:
        process = self._meet(row)
        try:
            process.channel = await connect(row.address, process.on_frame, process.on_lost, process.on_flood)
        except OSError as error:
            log.info("a process does not answer", process=str(row.id), error=str(error))
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self.refresh, row.application_id)
            return
        self._lane(row.application_id).processes[row.id] = process
        if not row.is_open:
            process.channel.send({"type": "hello", "id": HELLO})  # answered as soon as it executes
