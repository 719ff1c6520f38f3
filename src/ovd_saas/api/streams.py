"""Streams: server-sent events (WHATWG HTML, 9.2) of something that is read anew whenever a notice says so. Floor 3."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from ovd_saas.store import connections
from ovd_saas.store.notices import hub

log = structlog.get_logger()

HEARTBEAT_SECONDS = 15.0  # a comment at least so often, so that a dead connection is noticed
PAUSE_SECONDS = 1.0  # before the database is asked again that did not answer
MEDIA_TYPE = "text/event-stream"


@dataclass(frozen=True)
class Event:
    """One event; ids grow within a stream, and a client resumes after the last one it got."""

    id: int
    kind: str
    body: Any  # JSON


@dataclass(frozen=True)
class News:
    """What there is after some id."""

    events: list[Event]
    is_over: bool = False  # nothing will ever come after these
    is_more: bool = False  # there is more already


Read = Callable[[int], News]
Wanted = Callable[[dict[str, Any]], bool]


def answer(read: Read, *, after: int, wanted: Wanted) -> HttpResponseBase:
    """The events after the id `after`, until it is over. `wanted` picks the notices after which to read again."""
    response = StreamingHttpResponse(_stream(read, after, wanted), content_type=MEDIA_TYPE)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def over() -> HttpResponse:
    """204: tells a browser's EventSource, which has everything, not to come back."""
    return HttpResponse(status=204)


async def in_thread(read: Read, after: int) -> News:
    def with_connection() -> News:
        close_old_connections()
        try:
            return read(after)
        finally:
            close_old_connections()

    return await sync_to_async(with_connection, thread_sensitive=False)()


async def _stream(read: Read, last: int, wanted: Wanted) -> AsyncIterator[bytes]:
    with hub().subscribe() as notices:
        yield b"retry: 1000\n\n"
        await sync_to_async(connections.release)()  # of the thread that this request has for itself as long as it lasts
        while True:
            try:
                news = await in_thread(read, last)
            except (OperationalError, InterfaceError) as error:
                log.warning("a stream waits for the database", error=str(error).strip())
                yield b": waiting for the database\n\n"
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            for event in news.events:
                last = event.id
                yield _frame(event)
            if news.is_over:
                return
            if not news.is_more and not await _wait(notices, wanted):
                yield b": still here\n\n"


async def _wait(notices: "asyncio.Queue[dict[str, Any]]", wanted: Wanted) -> bool:
    """True after a notice that is wanted, False after a while without one."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            while not _is_wanted(await notices.get(), wanted):
                pass
    except TimeoutError:
        return False
    while not notices.empty():
        notices.get_nowait()  # one reading answers them all
    return True


def _is_wanted(notice: dict[str, Any], wanted: Wanted) -> bool:
    return notice["about"] == "reconnected" or wanted(notice)


def _frame(event: Event) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), orjson.dumps(event.body))
