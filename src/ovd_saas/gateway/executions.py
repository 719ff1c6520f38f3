"""Executions: POST A/executions, the hot path. Reads the request, has it executed, answers. Floor 3.

Warm: the process is awake and has room. Frames go straight to it, the finished row goes to the journal, and only then
the client is answered. Otherwise a queued row comes first, and the client waits for it as long as it likes.
"""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from ovd_saas.appcore import access, execution_view, executions
from ovd_saas.appcore.access import Caller
from ovd_saas.appcore.dispatch import Dispatcher
from ovd_saas.appcore.dispatch_errand import Errand
from ovd_saas.appcore.dispatch_leases import Unavailable as NoRow
from ovd_saas.appcore.dispatch_run import Ending, Order, Run
from ovd_saas.appcore.refusals import Forbidden, NotFound, Refusal
from ovd_saas.domain import executions as states
from ovd_saas.domain.executions import EXECUTION
from ovd_saas.gateway import answers
from ovd_saas.gateway.answers import Answer
from ovd_saas.gateway.bodies import LARGEST_SEED, Disconnected, Receive
from ovd_saas.gateway.callers import Callers
from ovd_saas.gateway.catalogue import Catalogue, Entry
from ovd_saas.gateway.checking import Checked, checked
from ovd_saas.gateway.holding import Holding, hold
from ovd_saas.gateway.preferences import Preferences, idempotency_key, preferences, unknown_parameters
from ovd_saas.gateway.refusals import Down, Invalid
from ovd_saas.store.finished import FinishedExecution
from ovd_saas.store.journal import Journal, Unavailable, Unstorable
from ovd_saas.store.queries import applications
from ovd_saas.store.queries import executions as queries

log = structlog.get_logger()
RETRY_SECONDS = 2


@dataclass(slots=True)
class Asked:
    """One request, understood."""

    entry: Entry
    caller: Caller
    wanted: Checked
    preferences: Preferences
    key: str | None
    cause: str  # "page" when a person's browser asks with its session, else "api"
    id: UUID
    now: datetime
    until: float  # time.monotonic() at which the client is answered, finished or not


class Executions:
    """The operation. `answer` never raises anything but Disconnected."""

    def __init__(self, dispatcher: Dispatcher, database: str) -> None:
        self._dispatcher = dispatcher
        self._under_way = 0  # requests that wait for a warm run, or for its row
        self.journal = Journal(database, under_way=lambda: self._under_way)
        self._loop = asyncio.get_running_loop()
        self._holding = Holding(dispatcher.waits)
        self.callers = Callers(dispatcher.threads)
        self.catalogue = Catalogue(dispatcher.threads)

    async def answer(self, scope: dict[str, Any], receive: Receive, organisation: str, name: str) -> Answer:
        try:
            asked = await self._understand(scope, receive, organisation, name)
            return await self._execute(asked, receive)
        except Refusal as refusal:
            return answers.of_refusal(refusal)
        except Disconnected:
            raise
        except (DatabaseError, Unavailable, NoRow) as error:
            log.warning("an execution was refused", application=f"{organisation}/{name}", error=str(error).strip())
            return answers.of_refusal(
                Down("The database cannot be reached; nothing was archived.", retry_after_seconds=RETRY_SECONDS)
            )
        except Exception:
            log.exception("a request failed", application=f"{organisation}/{name}")
            return answers.of_surprise()

    async def _understand(self, scope: dict[str, Any], receive: Receive, organisation: str, name: str) -> Asked:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        began = time.monotonic()
        now = datetime.now(UTC)
        caller = await self.callers.identify(scope, headers)
        entry = await self.catalogue.find(organisation, name)
        if entry is None or not access.may(caller, access.SEE, entry.organisation):
            raise NotFound(f"There is no application {organisation}/{name}, or it is not yours.")
        if not access.may(caller, access.EXECUTE, entry.organisation):
            raise Forbidden(f"You may see {entry.address}, but not execute it.")
        if scope["query_string"]:
            raise Invalid("This operation takes no query parameters.", errors=unknown_parameters(scope["query_string"]))
        wishes = preferences(headers)
        key = idempotency_key(headers)
        if entry.release is None:
            await self._dispatcher.threads.call(_check_accepting, entry)
        wanted = await checked(entry, headers, receive, now)
        cause = "api" if b"authorization" in headers else "page"
        return Asked(entry, caller, wanted, wishes, key, cause, executions.new_id(), now, began + wishes.wait)

    async def _execute(self, asked: Asked, receive: Receive) -> Answer:
        if asked.key is None and asked.preferences.wait > 0 and asked.entry.is_accepting:
            errand = self._errand(asked)
            self._under_way += 1
            self._dispatcher.begin(errand)
            try:
                await errand.done
            except Unstorable as error:
                raise Down(f"The result could not be archived: {error}") from error
            finally:
                self._under_way -= 1
            if errand.run is not None:
                return await self._attend(asked, errand, errand.run, receive)
        return await self._queue(asked, receive)

    def _errand(self, asked: Asked) -> Errand:
        assert asked.entry.release is not None
        order = Order(
            id=asked.id,
            application_id=asked.entry.application_id,
            inputs=asked.wanted.inputs,
            input_digest=asked.wanted.input_digest,
            seed=_seed(asked),
            created_at=asked.now,
            deadline_at=asked.wanted.deadline_at,
            caller=asked.caller.key,
            by_id=asked.caller.user_id,
            cause={"kind": asked.cause},
            request_digest="",
            consent=asked.wanted.consent,
        )
        done: asyncio.Future[None] = self._loop.create_future()
        return Errand(order, asked.entry.release.id, self._archive, done)

    def _archive(self, run: Run, ending: Ending) -> None:
        """Called from the frame with its result, so that the row is on its way before anything else is done."""
        errand = run.errand
        assert errand is not None
        errand.row = finished(run, ending)
        self.journal.take(errand.row, errand.done)

    async def _attend(self, asked: Asked, errand: Errand, run: Run, receive: Receive) -> Answer:
        """A warm run: mostly it is over already, and durable."""
        if errand.row is None:
            return await self._wait_for(asked, run, receive)
        return self._say(201, errand.row, asked, run)

    async def _wait_for(self, asked: Asked, run: Run, receive: Receive) -> Answer:
        with self._holding.waiting(run.id) as waiting:
            if not run.is_final:
                await hold(waiting, asked.until - time.monotonic(), receive)
        return await self._read(asked, run.id)

    async def _queue(self, asked: Asked, receive: Receive) -> Answer:
        if asked.preferences.wait <= 0:
            execution_id, _ = await self._dispatcher.threads.call(_submit, asked)
            return await self._read(asked, execution_id)
        with self._holding.place(asked.entry.application_id), self._holding.waiting(asked.id) as waiting:
            execution_id, is_new = await self._dispatcher.threads.call(_submit, asked)
            if is_new:
                await hold(waiting, asked.until - time.monotonic(), receive)
                if waiting.done() and isinstance(run := waiting.result(), Run) and run.archived:
                    return self._ended_here(asked, run, run.archived)
            else:
                await self._wait_for_earlier(asked, execution_id, receive)
        return await self._read(asked, execution_id)

    async def _wait_for_earlier(self, asked: Asked, id_: UUID, receive: Receive) -> None:
        with self._holding.waiting(id_) as waiting:
            execution = await self._dispatcher.threads.call(queries.by_id, id_)
            if execution is not None and execution.status not in states.FINAL:
                await hold(waiting, asked.until - time.monotonic(), receive)

    async def _read(self, asked: Asked, id_: UUID) -> Answer:
        view = await self._dispatcher.threads.call(_view, id_)
        status = 201 if view["status"] in states.FINAL else 202
        return answers.of_execution(status, view, execution_view.address(id_), asked.preferences.applied)

    def _ended_here(self, asked: Asked, run: Run, ending: Ending) -> Answer:
        """What it answered is still in memory, and its row says the same."""
        row = replace(finished(run, ending), started_at=run.order.started_at or run.sent_at)
        return self._say(201, row, asked, run)

    def _say(self, status: int, row: FinishedExecution, asked: Asked, run: Run) -> Answer:
        release, model = run.process.release, run.process.model
        view = execution_view.view(
            row, application=asked.entry.address, release=release.number, model=model.number if model else None
        )
        return answers.of_execution(status, view, execution_view.address(row.id), asked.preferences.applied)


def _seed(asked: Asked) -> int:
    """The client's, else one that the platform chooses; recorded either way."""
    return asked.wanted.seed if asked.wanted.seed is not None else random.getrandbits(LARGEST_SEED.bit_length())


def _submit(asked: Asked) -> tuple[UUID, bool]:
    """The id of the execution that is queued now, and whether it was not there before."""
    if asked.key is None and asked.entry.is_accepting and _enter(asked):
        return asked.id, True
    application = applications.by_address(*asked.entry.address.split("/"))
    if application is None:
        raise NotFound(f"There is no application {asked.entry.address} any more.")
    execution, is_new = executions.submit(
        application=application,
        inputs=asked.wanted.inputs,
        seed=_seed(asked),
        deadline_at=asked.wanted.deadline_at,
        caller=asked.caller.key,
        by_id=asked.caller.user_id,
        cause={"kind": asked.cause},
        idempotency_key=asked.key,
        request_digest=asked.wanted.request_digest(asked.entry.address) if asked.key else "",
        now=asked.now,
        id_=asked.id,
        consent=asked.wanted.consent,
    )
    return execution.pk, is_new


def _enter(asked: Asked) -> bool:
    return executions.enter(
        id_=asked.id,
        application_id=asked.entry.application_id,
        inputs=asked.wanted.inputs,
        seed=_seed(asked),
        deadline_at=asked.wanted.deadline_at,
        caller=asked.caller.key,
        by_id=asked.caller.user_id,
        cause={"kind": asked.cause},
        request_digest="",
        max_queue=asked.entry.max_queue,
        now=asked.now,
        consent=asked.wanted.consent,
    )


def _check_accepting(entry: Entry) -> None:
    """Raises what `submit` would: there is no release to check the inputs against."""
    application = applications.by_address(*entry.address.split("/"))
    if application is None:
        raise NotFound(f"There is no application {entry.address} any more.")
    executions.check_accepting(application, now=timezone.now())
    raise executions.NotAccepting(f"Application {entry.address} has just got a release. Send it again.")


def _view(id_: UUID) -> dict[str, Any]:
    execution = queries.by_id(id_)
    if execution is None:
        raise NotFound(f"Execution {id_} was removed while it was waited for.")
    return execution_view.of_record(execution, queue_position=queries.position(execution))


def finished(run: Run, ending: Ending) -> FinishedExecution:
    """The row of a run that never had one."""
    order, result, process = run.order, ending.result, run.process
    return FinishedExecution(
        id=order.id,
        application_id=order.application_id,
        release_id=process.release.id,
        process=process.id,
        status=EXECUTION.follow(states.RUNNING, result.event),
        inputs=order.inputs,
        outputs=result.outputs,
        error=result.error,
        log=result.log,
        seed=order.seed,
        progress=result.progress,
        digests=result.digests,
        hardware=result.hardware,
        created_at=order.created_at,
        started_at=run.sent_at,
        finished_at=ending.at,
        deadline_at=order.deadline_at,
        seconds=result.seconds,
        caller=order.caller,
        created_by_id=order.by_id,
        cause=order.cause,
        request_digest=order.request_digest,
        model_id=process.model.id if process.model else None,
        consent=order.consent,
    )
