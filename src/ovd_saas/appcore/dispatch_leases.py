"""Leases held here: every run that has a row, from then on to its end. Floor 2.

A result reaches the database or is refused there; while the database is away it is tried again. What is lost is given
back. Nothing is dropped silently.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ovd_saas.appcore.dispatch_outputs import UnknownFile
from ovd_saas.appcore.dispatch_run import Ending, Loss, Outcome, Run
from ovd_saas.domain import executions
from ovd_saas.store import claims
from ovd_saas.store.records import Execution
from ovd_saas.store.threads import Threads

log = structlog.get_logger()
AWAY = (OperationalError, InterfaceError)  # the database cannot be reached, or not now

PATIENCE_SECONDS = 5.0  # for a row that cannot be written, before the request is refused
_PAUSE_SECONDS = 0.25
_WORD_SECONDS = 1.5  # for the runner to say why a process ended
_LOOK_SECONDS = 0.02
_GIVE_BACK_SECONDS = 1.0  # when stopping
_CANCEL_SECONDS = 1.0  # for a cancelled run to stop by itself


class Unavailable(Exception):
    """The database was away too long for an execution that had no row yet."""


class Leases:
    """`on_final` hears of each execution that ended here, with its run if that ended it."""

    def __init__(
        self, threads: Threads, on_final: Callable[[UUID, Run | None], None], condemn: Callable[[Run, str], None]
    ) -> None:
        self._threads = threads
        self._on_final = on_final
        self._condemn = condemn
        self._telling: set[UUID] = set()  # whose happenings are being written, until `_told` is done
        self._told: asyncio.Future[None] | None = None
        self._ended: set[UUID] = set()  # of which somebody said that they are final while our outcome was written
        self._drivers: set[asyncio.Task[None]] = set()
        self.runs: dict[UUID, Run] = {}

    def hold(self, run: Run) -> None:
        """From now on this run is seen through here; its row says `running` under the lease in its order."""
        _appear(run)
        self._drive(run, self._see_through(run))

    def make_visible(self, run: Run) -> None:
        """A run without a row gets one; its errand is finished, or refused with Unavailable."""
        if not run.is_visible and not run.is_settled:
            _appear(run)
            self._drive(run, self._insert_and_see_through(run))

    def is_ending(self, id_: UUID) -> bool:
        """Whether its outcome is being written, so that `on_final` hears of it in a moment."""
        run = self.runs.get(id_)
        if run is None or not run.is_settled:
            return False
        self._ended.add(id_)
        return True

    def on_state(self, id_: UUID, state: str) -> None:
        """It is not ours any more: stop it. A person's cancel is enforced, whatever the process thinks."""
        run = self.runs.get(id_)
        if run is None or run.outcome is None or run.outcome.done():
            return
        run.process.cancel(run)
        if state == "cancelled":
            asyncio.get_running_loop().call_later(_CANCEL_SECONDS, self._enforce, run)

    async def renew(self) -> None:
        """Raises django.db.Error."""
        held = {run.id: run.order.lease for run in self.runs.values()}
        if held:
            for id_, state in (await self._threads.call(claims.renew, held, now=timezone.now())).items():
                self.on_state(id_, state)

    async def tell(self) -> None:
        """What happened since the last time, for those who watch; one at a time. Raises django.db.Error."""
        told = [(run, run.happenings) for run in self.runs.values() if run.happenings]
        if not told:
            return
        self._told = asyncio.get_running_loop().create_future()
        self._telling = {run.id for run, _ in told}
        try:
            for run, happenings in told:
                run.happenings = []
                await _complete(run, happenings)
            await self._threads.call(claims.tell, [happening for _, some in told for happening in some])
        except DatabaseError:
            for run, happenings in told:
                run.happenings = happenings + run.happenings
            raise
        finally:
            self._telling = set()
            self._told.set_result(None)

    async def stop(self, grace_seconds: float) -> None:
        """Afterwards what could not end in time is queued again, and nothing is held."""
        if self._drivers:
            await asyncio.wait(self._drivers, timeout=max(grace_seconds, 0.0))
        for run in [*self.runs.values()]:
            run.process.cancel(run)
            settle(run, Loss("The server that attended to it was stopped.", counts=False))
        if self._drivers:
            await asyncio.wait(self._drivers, timeout=_GIVE_BACK_SECONDS)
        for driver in self._drivers:
            driver.cancel()

    def _enforce(self, run: Run) -> None:
        if run.wire in run.process.runs:
            self._condemn(run, "The execution it worked on was cancelled and did not stop.")

    def _drive(self, run: Run, work: Coroutine[Any, Any, None]) -> None:
        driver = asyncio.create_task(work)
        self._drivers.add(driver)
        driver.add_done_callback(self._drivers.discard)

    async def _insert_and_see_through(self, run: Run) -> None:
        order = run.order
        order.lease, order.attempts = 1, 1
        row = _row(run)
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                await self._threads.call(claims.insert_running, row, now=timezone.now())
                break
            except AWAY as error:
                log.warning("an execution waits for the database", execution=str(run.id), error=str(error).strip())
                if asyncio.get_running_loop().time() > until:
                    return _refuse(run, Unavailable("The database cannot be reached."))
                await asyncio.sleep(_PAUSE_SECONDS)
            except DatabaseError as error:
                return _refuse(run, error)
        if run.errand is not None:
            run.errand.finish()
        await self._see_through(run)

    async def _see_through(self, run: Run) -> None:
        self.runs[run.id] = run
        try:
            assert run.outcome is not None
            outcome = await run.outcome
            run.is_final = await self._settle(run, outcome)
        finally:
            self.runs.pop(run.id, None)
            is_ended = run.id in self._ended
            self._ended.discard(run.id)
        if run.is_final or is_ended:
            self._on_final(run.id, run if run.is_final else None)

    async def _settle(self, run: Run, outcome: Outcome) -> bool:
        """Whether it is final now, by our doing."""
        while True:
            try:
                if isinstance(outcome, Ending):
                    return await self._finish(run, outcome)
                return await self._give_back(run, outcome)
            except AWAY as error:
                log.warning("an outcome waits for the database", execution=str(run.id), error=str(error).strip())
                await asyncio.sleep(_PAUSE_SECONDS)
            except DatabaseError as error:
                log.exception("an outcome cannot be archived", execution=str(run.id))
                if not isinstance(outcome, Ending) or outcome.result.event == executions.FAIL:
                    return False  # its lease runs out, and the reaper takes over
                outcome = run.failed("storage", f"The outcome could not be archived: {error}")

    async def _finish(self, run: Run, ending: Ending) -> bool:
        if run.id in self._telling and self._told is not None:
            await asyncio.shield(self._told)  # events of an execution are written in order
        last, run.happenings = run.happenings, []
        await _complete(run, last)
        try:
            is_ours = await self._threads.call(
                claims.finish, run.id, run.order.lease, ending.result, now=ending.at, last=last
            )
        except DatabaseError:
            run.happenings = last + run.happenings
            raise
        if is_ours:
            run.archived = ending
        else:
            log.info("a late result was dropped", execution=str(run.id), lease=run.order.lease)
        return is_ours

    async def _why_ended(self, run: Run) -> str:
        """What the runner says of the end of its process, once that is noted; empty when it takes too long."""
        until = asyncio.get_running_loop().time() + _WORD_SECONDS
        while not (why := await self._threads.call(claims.why_ended, run.process.id)):
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return why

    async def _give_back(self, run: Run, loss: Loss) -> bool:
        counts, reason = loss.counts, loss.reason
        if counts is None:
            condemned = await self._threads.call(claims.why_condemned, run.process.id)
            counts, reason = not condemned, condemned or await self._why_ended(run) or reason
        state = await self._threads.call(
            claims.give_back, run.id, run.order.lease, reason, counts=counts, now=timezone.now()
        )
        return state in executions.FINAL


def settle(run: Run, outcome: Outcome) -> None:
    """Give a run its outcome; the first one counts. A run without a row has its ending archived by who brought it."""
    if run.is_settled:
        return
    run.is_settled = True
    if run.outcome is not None:
        run.outcome.set_result(outcome)
    elif isinstance(outcome, Ending) and run.errand is not None:
        run.errand.archive(run, outcome)
    else:
        raise AssertionError("A lost run needs a row first.")


def _appear(run: Run) -> None:
    """From now on it has a row, or gets one."""
    run.is_visible = True
    run.outcome = asyncio.get_running_loop().create_future()


def _refuse(run: Run, error: Exception) -> None:
    """It has no row and will get none: nobody was promised anything."""
    if run.errand is not None:
        run.errand.refuse(error)
    run.process.cancel(run)


async def _complete(run: Run, happenings: list[claims.Happening]) -> None:
    """Files in streamed outputs become durable before they are told; one that did not come is not told."""
    if run.files is None:
        return
    for happening in [happening for happening in happenings if happening.kind == "output"]:
        place = happenings.index(happening)
        try:
            value = await run.files.canonical(happening.body["value"])
        except (UnknownFile, OSError):
            del happenings[place]
        else:
            happenings[place] = replace(happening, body={**happening.body, "value": value})


def _row(run: Run) -> Execution:
    order = run.order
    return Execution(
        id=order.id,
        application_id=order.application_id,
        release_id=run.process.release.id,
        model_id=run.process.model.id if run.process.model else None,
        process=run.process.id,
        inputs=order.inputs,
        seed=order.seed,
        digests=run.digests(),
        hardware=run.process.hardware,
        created_at=order.created_at,
        started_at=run.sent_at,
        deadline_at=order.deadline_at,
        caller=order.caller,
        created_by_id=order.by_id,
        cause=order.cause,
        request_digest=order.request_digest,
        consent=order.consent,
        attempts=order.attempts,
        lease=order.lease,
    )
