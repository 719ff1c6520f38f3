"""Threads: database work of asynchronous code, a few threads with a connection each. Floor 1."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import Error as DatabaseError
from django.db import connections

from ovd_saas.store.connections import keep_sound

P = ParamSpec("P")
T = TypeVar("T")

COUNT = 6  # at once; each holds a connection to PostgreSQL


class Threads:
    """`await threads.call(verb, …)` runs a blocking function with a sound connection, outside the event loop."""

    def __init__(self, count: int = COUNT) -> None:
        self._alive: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(count, "store", initializer=self._note)

    def _note(self) -> None:
        self._alive.append(threading.current_thread())

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What it returns or raises. A connection that broke is replaced before the next call."""
        work = partial(_with_connection, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def stop(self) -> None:
        """Afterwards what was called has returned, and all connections are closed."""
        count = len(self._alive)  # once: handing out the work may start a further thread
        together = threading.Barrier(count or 1)
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._pool, _close, together) for _ in range(count)))
        self._pool.shutdown()


def _close(together: threading.Barrier) -> None:
    connections.close_all()
    together.wait()  # so that each thread does it once


def _with_connection(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    keep_sound()
    try:
        return function(*args, **kwargs)
    except DatabaseError:
        keep_sound()
        raise
