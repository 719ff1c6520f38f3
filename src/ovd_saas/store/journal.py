"""The journal: finished executions go to disk many at a time, in one transaction, before anybody is answered. Floor 1.

*Group commit*: while one batch is being committed the next one gathers, so the cost of a commit is shared by all that
wait for one. `record()` returns when its row is durable; when that cannot be had within `patience` it raises
`Unavailable`, and the caller must not say that the execution is archived.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
import structlog

from ovd_saas.store.notices import CHANNEL

log = structlog.get_logger()

PATIENCE_SECONDS = 5.0  # how long a request waits for a lost database
LARGEST_BATCH = 500  # rows
NOTICE_SECONDS = 0.5  # at most one notice `executions` an application in this time
_PAUSE_SECONDS = 0.1  # between attempts to reach the database
_CONNECT_SECONDS = 2


class Unavailable(Exception):
    """The database could not be reached in time: it is not known to be archived."""


class Unstorable(Exception):
    """PostgreSQL refuses this row for what is in it, or its application is gone."""


@dataclass(slots=True)
class FinishedExecution:
    """A row of `store_execution` that is inserted once, with its final state. Names are those of the record."""

    id: UUID
    application_id: int
    release_id: int
    process: UUID
    status: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    log: str
    seed: int
    progress: Mapping[str, Any] | None
    digests: Mapping[str, Any]
    hardware: Mapping[str, Any]
    created_at: datetime
    started_at: datetime
    finished_at: datetime
    deadline_at: datetime | None
    seconds: float | None  # in the application
    caller: str
    created_by_id: int | None
    cause: Mapping[str, Any]
    request_digest: str
    model_id: int | None = None
    consent: bool = False
    attempts: int = 1
    lease: int = 1


_TYPES = {
    "id": "uuid",
    "application_id": "bigint",
    "release_id": "bigint",
    "process": "uuid",
    "status": "text",
    "inputs": "jsonb",
    "outputs": "jsonb",
    "error": "jsonb",
    "log": "text",
    "seed": "bigint",
    "progress": "jsonb",
    "digests": "jsonb",
    "hardware": "jsonb",
    "created_at": "timestamptz",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
    "deadline_at": "timestamptz",
    "seconds": "float8",
    "caller": "text",
    "created_by_id": "bigint",
    "cause": "jsonb",
    "request_digest": "text",
    "model_id": "bigint",
    "consent": "boolean",
    "attempts": "int",
    "lease": "bigint",
}
_NAMES = ", ".join(_TYPES)
_INSERT = (
    f"INSERT INTO store_execution ({_NAMES}) SELECT {_NAMES} FROM json_to_recordset(%s::json) AS row("  # noqa: S608
    + ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
    + ") ON CONFLICT (id) DO NOTHING"  # a batch is repeated when the connection broke before the answer came
)
_TELL = "SELECT pg_notify(%s, json_build_object('about', 'executions', 'application', id)::text) FROM unnest(%s) AS id"
_BOUNDS = "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=15s"


class _Entry:
    __slots__ = ("done", "row", "until")

    def __init__(self, row: FinishedExecution, done: "asyncio.Future[None]", until: float) -> None:
        self.row = row
        self.done = done
        self.until = until  # time.monotonic() after which nobody waits any more


class Journal:
    """One connection of its own, used inside one event loop; it reconnects by itself."""

    def __init__(self, url: str, *, patience: float = PATIENCE_SECONDS) -> None:
        self._url = url
        self._patience = patience
        self._pending: list[_Entry] = []
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._untold: set[int] = set()
        self._tell_at = 0.0  # time.monotonic()
        self._alarm: asyncio.TimerHandle | None = None
        self.batches = 0  # committed since the start
        self.rows = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="journal")

    async def stop(self) -> None:
        """Afterwards what was given is on disk, or its callers were refused; the connection is closed."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._disconnect()

    async def record(self, row: FinishedExecution) -> None:
        """Returns when the row is durable. Raises Unavailable, Unstorable."""
        if self._task is None or self._is_closing:
            raise Unavailable("The journal is closed: this server is stopping.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Entry(row, done, time.monotonic() + self._patience))
        self._wake.set()
        await done

    async def _run(self) -> None:
        while self._pending or not self._is_closing:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                batch, self._pending = self._pending[:LARGEST_BATCH], self._pending[LARGEST_BATCH:]
                again = await self._commit(batch)
                self._pending = again + self._pending
            await self._tell()

    async def _commit(self, batch: list[_Entry]) -> list[_Entry]:
        """What is to be tried again."""
        try:
            async with asyncio.timeout(self._patience):
                await self._insert(batch)
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            return await self._lost(batch, error)
        except (psycopg.Error, TypeError, ValueError) as error:
            return await self._refused(batch, error)
        self.batches += 1
        self.rows += len(batch)
        for entry in batch:
            self._untold.add(entry.row.application_id)
            if not entry.done.done():
                entry.done.set_result(None)
        return []

    async def _insert(self, batch: list[_Entry]) -> None:
        if self._connection is None:
            self._connection = await _connect(self._url)
        rows = orjson.dumps([entry.row for entry in batch]).decode()
        await self._connection.execute(_INSERT, (rows,), prepare=True)

    async def _refused(self, batch: list[_Entry], error: Exception) -> list[_Entry]:
        """One row that cannot be stored must not take the others with it."""
        if len(batch) > 1:
            return [entry for one in batch for entry in await self._commit([one])]
        if not batch[0].done.done():
            batch[0].done.set_exception(Unstorable(str(error).strip()))
        return []

    async def _lost(self, batch: list[_Entry], error: BaseException) -> list[_Entry]:
        """The database is away: those who waited long enough are refused, the others wait for the next attempt."""
        log.warning("the journal lost its database", error=str(error).strip() or type(error).__name__)
        await self._disconnect()
        now = time.monotonic()
        for entry in batch:
            if entry.until <= now and not entry.done.done():
                entry.done.set_exception(Unavailable("The database cannot be reached."))
        await asyncio.sleep(_PAUSE_SECONDS)
        return [entry for entry in batch if not entry.done.done()]

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close()

    async def _tell(self) -> None:
        """Notice `executions`; only makes pages soon, so it is throttled and may be lost."""
        now = time.monotonic()
        if not self._untold or self._connection is None:
            return
        if now < self._tell_at:
            if self._alarm is None:
                self._alarm = asyncio.get_running_loop().call_later(self._tell_at - now, self._wake.set)
            return
        self._alarm = None
        self._tell_at = now + NOTICE_SECONDS
        told, self._untold = list(self._untold), set()
        try:
            async with asyncio.timeout(self._patience):
                await self._connection.execute(_TELL, (CHANNEL, told))
        except (psycopg.Error, OSError):
            await self._disconnect()


async def _connect(url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=8000,
        options=_BOUNDS,
    )
