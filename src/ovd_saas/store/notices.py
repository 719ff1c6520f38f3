"""Notices: tells whoever listens that something changed. Only makes things soon; nothing depends on it. Floor 1.

One PostgreSQL channel, `ovd`; the payload is a small JSON object `{"about": …, …ids}`:
application {id} · outlook {application}: only when what happens next · queue {application}
· wanted {application, execution}: somebody waits for it in a server's memory
· processes {application} · execution {id, application, status}
· executions {application} · release {id, application} · access {} · runner {}
· batch {application} · learning {application, run} · model {application} · trigger {application}
· drift {application} · sample {application} · measure {}
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

CHANNEL = "ovd"


def notify(about: str, **ids: Any) -> None:
    """Sent when the surrounding transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, json.dumps({"about": about, **ids}, default=str)])


def parse(payload: str) -> dict[str, Any]:
    """The notice in a payload of the channel."""
    notice: dict[str, Any] = json.loads(payload)
    return notice


def listen(url: str, *, timeout: float) -> Generator[dict[str, Any] | None, None, None]:
    """Blocking: yields each notice, and None after `timeout` seconds of silence. Raises psycopg.OperationalError."""
    with psycopg.connect(url, autocommit=True, keepalives_idle=5) as listening:
        listening.execute(f"LISTEN {CHANNEL}")
        while True:
            got = False
            for notice in listening.notifies(timeout=timeout, stop_after=1):
                got = True
                yield parse(notice.payload)
            if not got:
                yield None


class Hub:
    """One listening connection for a whole web process; hands each notice to all subscribers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._subscribers: set[asyncio.Queue[dict[str, Any]]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Idempotent; called inside a running event loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="notices")

    async def stop(self) -> None:
        """Afterwards nothing listens. A single cancel may be lost: `asyncio.wait_for` of Python 3.11, which psycopg
        waits with, swallows one that comes in the same moment as a notice."""
        if self._task is not None:
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task], timeout=0.1)
            self._task = None

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[dict[str, Any]]]:
        """A queue of notices. After a lost connection it holds `{"about": "reconnected"}`: look again at everything."""
        self.start()
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=10_000)
        self._subscribers.add(queue)
        try:
            yield queue
        finally:
            self._subscribers.discard(queue)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(psycopg.OperationalError, OSError):
                async for notice in self._notices():
                    self._spread(notice)
            await asyncio.sleep(0.5)

    async def _notices(self) -> AsyncIterator[dict[str, Any]]:
        connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, keepalives_idle=5)
        async with await connecting as listening:
            await listening.execute(f"LISTEN {CHANNEL}")
            yield {"about": "reconnected"}
            async for notice in listening.notifies():
                yield parse(notice.payload)

    def _spread(self, notice: dict[str, Any]) -> None:
        for queue in self._subscribers:
            if queue.full():  # a subscriber that slept too long looks at everything again
                while not queue.empty():
                    queue.get_nowait()
                notice = {"about": "reconnected"}
            queue.put_nowait(notice)


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def hub() -> Hub:
    """The one Hub of the running event loop, on the database of the records."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(database_address())
    return _hubs[loop]


def database_address() -> str:
    """The libpq address of the database that the records are in."""
    return address(connection.settings_dict)


def address(database: Mapping[str, Any]) -> str:
    """The libpq address that Django's settings of a database amount to."""
    names = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    parts = {name: database[ours] for name, ours in names.items() if database[ours]}
    return make_conninfo(**database["OPTIONS"], **parts)
