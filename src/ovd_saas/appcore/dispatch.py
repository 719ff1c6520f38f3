"""The dispatcher: brings executions to processes, in every server that does so (web; AppCore as a fallback). Floor 2.

It lives in one event loop. Notices make it quick; a look at the database every second makes it sure.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from ovd_saas.appcore import dispatch_rows
from ovd_saas.appcore.dispatch_errand import Errand
from ovd_saas.appcore.dispatch_leases import Leases, settle
from ovd_saas.appcore.dispatch_process import LiveProcess
from ovd_saas.appcore.dispatch_roster import Roster
from ovd_saas.appcore.dispatch_run import Loss, Order, Outcome, Run
from ovd_saas.appcore.dispatch_waits import Waits, final_among
from ovd_saas.appcore.dispatch_watch import Watch
from ovd_saas.appcore.lanes import QUICK_SECONDS, Lane
from ovd_saas.domain import executions
from ovd_saas.store import claims, notices
from ovd_saas.store.claims import Nothing
from ovd_saas.store.notices import Hub
from ovd_saas.store.records import Execution
from ovd_saas.store.threads import Threads

log = structlog.get_logger()

VISIBLE_AFTER = QUICK_SECONDS  # seconds; what takes longer is a row that everybody sees
STOP_SECONDS = 3.0
_RENEW_SECONDS = 3.0
_TELL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 0.1
_CALL_AGAIN_SECONDS = 0.5


class Dispatcher:
    """`waited`: claim only what others have left waiting so long (AppCore's fallback); zero claims at once."""

    def __init__(self, hub: Hub, *, waited: timedelta = timedelta(0), threads: Threads | None = None) -> None:
        self._hub = hub
        self._waited = waited
        self.threads = threads or Threads()
        self.lanes: dict[int, Lane] = {}
        self.roster = Roster(self.threads, self.lanes, self._meet, self._open_lane)
        self.roster.settle_seconds = waited.total_seconds() / 2
        self.waits = Waits()
        self.leases = Leases(self.threads, lambda id_, run: self.waits.told([id_], run), self.condemn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._unseen = Watch(VISIBLE_AFTER, self._show)
        self._is_stopping = False
        self._stop_at = 0.0

    async def start(self) -> None:
        """Afterwards it follows what happens, in tasks of its own."""
        for work in (self._listen(), self.roster.follow(), self._look_forever(), self._tell_forever()):
            self._spawn(work)

    def begin_stop(self) -> None:
        """From now on nothing new is begun, and those who wait are let go; what runs has STOP_SECONDS."""
        if not self._is_stopping:
            self._is_stopping = True
            self._stop_at = asyncio.get_running_loop().time() + STOP_SECONDS
            self.waits.dismiss()

    async def stop(self) -> None:
        """Afterwards nothing is held here: what could not end in time is queued again."""
        self.begin_stop()
        await self.leases.stop(self._stop_at - asyncio.get_running_loop().time())
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self.lanes.values():
            for process in [*lane.processes.values()]:
                process.close()
        await self.threads.stop()

    def begin(self, errand: Errand) -> None:
        """Have it done in a process that is awake and has room, or has within a moment, perhaps because it is woken for
        it; else it is done, without a run: let it be queued."""
        application_id = errand.order.application_id
        if self._is_stopping:
            errand.finish()
            return
        if application_id not in self.lanes:
            self.lanes[application_id] = self._open_lane(application_id)
        self.lanes[application_id].take(errand)

    def condemn(self, run: Run, reason: str) -> None:
        """Have the process of this run killed. What else runs there starts again elsewhere, uncounted."""
        process = run.process
        process.give_up(f"Its process was stopped: {reason}", spare=run)
        self._spawn(self._condemn(process.id, reason))

    def _open_lane(self, application_id: int) -> Lane:
        return Lane(application_id, self._begin, self._pump, self._want)

    def _want(self, errand: Errand) -> None:
        """Somebody stands in line for an application that sleeps, as far as is known here: AppCore wakes it. When that
        is not heard, or may not be, they are in the database a moment later."""
        self._spawn(self._tell_wanted(errand.order))

    async def _tell_wanted(self, order: Order) -> None:
        with contextlib.suppress(DatabaseError):
            await self.threads.call(notices.notify, "wanted", application=order.application_id, execution=str(order.id))

    def _begin(self, process: LiveProcess, errand: Errand) -> None:
        errand.run = Run(errand.order, process, errand)
        self._unseen.add(errand.run)
        process.begin(errand.run)

    def _show(self, run: Run) -> None:
        """It is not as quick as others: it becomes a row, and no longer the business of who brought it."""
        if not run.is_settled:
            self.leases.make_visible(run)
            run.process.take_back()

    def _settle(self, run: Run, outcome: Outcome) -> None:
        if isinstance(outcome, Loss):
            self.leases.make_visible(run)
        settle(run, outcome)

    def _overdue(self, run: Run, reason: str) -> None:
        self.condemn(run, reason)
        settle(run, run.failed("timeout", reason, seconds=run.process.release.timeout))

    def _broken(self, process: LiveProcess, reason: str) -> None:
        log.warning("a process is to be killed", process=str(process.id), reason=reason)
        self._spawn(self._condemn(process.id, reason))

    def _freed(self, process: LiveProcess) -> None:
        lane = self.lanes.get(process.application_id)
        if lane is None:
            return
        if process.channel is None and lane.processes.get(process.id) is process:
            del lane.processes[process.id]  # it is called again soon, unless its row says that it is gone
            asyncio.get_running_loop().call_later(_CALL_AGAIN_SECONDS, self.roster.refresh, process.application_id)
        lane.serve()

    async def _condemn(self, process_id: UUID, reason: str) -> None:
        while True:
            try:
                await self.threads.call(claims.condemn, process_id, reason)
                return
            except DatabaseError as error:
                log.warning("a process cannot be condemned yet", process=str(process_id), error=str(error).strip())
                await asyncio.sleep(_AGAIN_SECONDS)

    # claims

    def _pump(self, lane: Lane) -> None:
        if not (lane.is_pumping or self._is_stopping):
            lane.is_pumping = True
            self._spawn(self._claim_for(lane))

    async def _claim_for(self, lane: Lane) -> None:
        pause = 0.0
        try:
            while lane.has_queue and not pause and (process := lane.room()):
                pause = await self._claim(lane, process)
        finally:
            lane.is_pumping = False
            if pause:
                asyncio.get_running_loop().call_later(pause, lane.serve)
            else:
                lane.serve()

    async def _claim(self, lane: Lane, process: LiveProcess) -> float:
        """One claim; how long to pause before the next one."""
        lane.has_queue = False  # a notice that comes meanwhile sets it again
        process.reserved += 1
        try:
            claimed = await self.threads.call(
                claims.claim, process.id, now=timezone.now(), waited=self._waited,
                answered=process.has_answered and not self._waited,
            )  # fmt: skip
        except DatabaseError as error:
            log.warning("cannot claim", application=lane.application_id, error=str(error).strip())
            claimed = Nothing.BUSY
        if isinstance(claimed, Execution):
            lane.has_queue |= claimed.others_wait
            order = dispatch_rows.order(claimed)
            if process.channel is None:
                process.reserved -= 1
                await self.threads.call(
                    claims.give_back, order.id, order.lease, "Its process ended before it began.",
                    counts=False, now=timezone.now(),
                )  # fmt: skip
                return 0.0
            process.reserved -= 1
            run = Run(order, process)
            self.leases.hold(run)
            process.begin(run)
            return 0.0
        process.reserved -= 1
        if claimed is Nothing.EMPTY:
            return 0.0
        lane.has_queue = True
        if claimed is Nothing.GONE:
            process.is_open = False  # until its row says otherwise
            self.roster.refresh(lane.application_id)
            return 0.0
        return _AGAIN_SECONDS if claimed is Nothing.BUSY else _LOOK_SECONDS

    def _meet(self, row: dispatch_rows.Living) -> LiveProcess:
        return LiveProcess(
            id=row.id,
            application_id=row.application_id,
            release=row.release,
            model=row.model,
            address=row.address,
            concurrency=row.concurrency,
            hardware=row.hardware,
            settle=self._settle,
            freed=self._freed,
            overdue=self._overdue,
            broken=self._broken,
        )

    # what others tell

    async def _listen(self) -> None:
        with self._hub.subscribe() as heard:
            while True:
                self._heed(await heard.get())

    def _heed(self, notice: dict[str, Any]) -> None:
        about = notice["about"]
        if about == "queue" and not self._waited:
            self._queued(notice["application"])
        elif about in ("processes", "application"):
            self.roster.refresh(notice.get("application") or notice["id"])
        elif about == "execution" and notice["status"] in executions.FINAL:
            id_ = UUID(notice["id"])
            if not self.leases.is_ending(id_):
                self.waits.told([id_])
            self.leases.on_state(id_, notice["status"])
            lane = self.lanes.get(notice["application"])
            if lane is not None and lane.has_queue and not self._waited:
                lane.serve()
        elif about == "reconnected":
            self.roster.refresh()

    def _queued(self, application_id: int) -> None:
        if (lane := self.lanes.get(application_id)) is not None:
            lane.has_queue = True
            lane.serve()
        else:
            self.roster.queued.add(application_id)

    async def _look_forever(self) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if loop.time() >= renew_at:
                    await self.leases.renew()
                    renew_at = loop.time() + _RENEW_SECONDS - _LOOK_SECONDS / 2
                await self._look()
            except DatabaseError as error:
                log.warning("cannot look at the database", error=str(error).strip())

    async def _look(self) -> None:
        if ids := self.waits.ids:
            self.waits.told(await self.threads.call(final_among, ids))
        if rooms := [lane.application_id for lane in self.lanes.values() if lane.room() and not lane.is_pumping]:
            before = timezone.now() - self._waited
            for application_id in await self.threads.call(dispatch_rows.queued_among, rooms, before=before):
                self._queued(application_id)

    async def _tell_forever(self) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            with contextlib.suppress(DatabaseError):
                await self.leases.tell()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of the dispatcher failed", exc_info=error)
