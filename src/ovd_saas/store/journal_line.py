"""The journal's line: one connection on which many rows become one transaction. Floor 1.

It speaks to libpq itself (`psycopg.pq`), in its pipeline mode: one write holds all statements of a transaction, and one
read their results. An `execute` of psycopg takes longer than PostgreSQL needs to insert the row.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
from psycopg import pq

from ovd_saas.store import finished
from ovd_saas.store.finished import Parameters
from ovd_saas.store.notices import CHANNEL

_CONNECT_SECONDS = 2
_CANCEL_SECONDS = 1.0
_BOUNDS = "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=15s"
_PLANS = "-c plan_cache_mode=force_generic_plan"  # nothing is to be gained by planning an insert again
_INSERTS = [(size, b"insert_%d" % size, finished.FORMATS * size) for size in (16, 8, 4, 2, 1)]
_TELL = b"tell"

Done = Callable[[psycopg.Error | None], None]


class Line:
    """Made by `connect`. One transaction at a time; `done` hears of its end: None, or why nothing of it was stored."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._pq = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._done: Done | None = None
        self._error: psycopg.Error | None = None
        self._is_writing = False
        self._is_deaf = False
        self._descriptor = connection.fileno()
        self._pq.nonblocking = 1
        self._pq.enter_pipeline_mode()
        self._loop.add_reader(self._descriptor, self._on_readable)

    @property
    def process_id(self) -> int:
        """PostgreSQL's process at the other end."""
        return self._pq.backend_pid

    @property
    def is_busy(self) -> bool:
        return self._done is not None

    def store(self, rows: Sequence[Parameters], told: Iterable[int], done: Done) -> None:
        """Insert these, and notify of executions of these applications, in one transaction. Raises psycopg.Error."""
        try:
            self._send(rows, told)
            self._done, self._error = done, None
            self._flush()
        except psycopg.Error:
            self._done = None
            self._deafen()
            raise

    def _send(self, rows: Sequence[Parameters], told: Iterable[int]) -> None:
        start = 0
        for size, name, formats in _INSERTS:
            while len(rows) - start >= size:
                parameters = [value for row in rows[start : start + size] for value in row]
                self._pq.send_query_prepared(name, parameters, formats)
                start += size
        for application_id in told:
            self._pq.send_query_prepared(_TELL, [b"%d" % application_id])
        self._pq.pipeline_sync()

    async def close(self) -> None:
        """What is under way is not heard of; PostgreSQL is asked to stop it, as it may be refused already."""
        is_under_way, self._done = self._done is not None, None
        self._deafen()
        try:
            if is_under_way and self._pq.status == pq.ConnStatus.OK:
                await self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        except psycopg.Error:
            pass  # it is away; its own time limits end what it does
        finally:
            await self._connection.close()

    def _flush(self) -> None:
        is_left = self._pq.flush() == 1
        if is_left and not self._is_writing:
            self._loop.add_writer(self._descriptor, self._on_writable)
        elif self._is_writing and not is_left:
            self._loop.remove_writer(self._descriptor)
        self._is_writing = is_left

    def _on_writable(self) -> None:
        try:
            self._flush()
        except psycopg.Error as error:
            self._deafen()
            self._finish(error)

    def _on_readable(self) -> None:
        try:
            self._pq.consume_input()
            while self._done is not None and not self._pq.is_busy():
                self._take(self._pq.get_result())
        except psycopg.Error as error:
            self._deafen()
            self._finish(error)

    def _take(self, result: Any) -> None:
        if result is None:
            return  # the end of one statement's results
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            self._finish(self._error)
        elif result.status == pq.ExecStatus.FATAL_ERROR and self._error is None:
            self._error = psycopg.errors.error_from_result(result)

    def _finish(self, error: psycopg.Error | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(error)

    def _deafen(self) -> None:
        """At once, and only once: libpq closes a lost connection, and its descriptor is somebody else's then."""
        if not self._is_deaf:
            self._is_deaf = True
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)


async def connect(url: str) -> Line:
    """Raises psycopg.Error, OSError."""
    connection = await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=8000,
        options=f"{_BOUNDS} {_PLANS}",
    )
    for size, name, _ in _INSERTS:
        await connection.execute(f"PREPARE {name.decode()} AS {finished.insert(size)}")
    notice = "json_build_object('about', 'executions', 'application', $1::bigint)::text"
    await connection.execute(f"PREPARE tell AS SELECT pg_notify('{CHANNEL}', {notice})")
    return Line(connection)
