"""Awaiting: run what an async `execute` returned, on an event loop that its thread keeps."""

import threading
from typing import Any, Callable, Optional

Interruptible = Callable[[Optional[Callable[[], None]]], None]

_loops = threading.local()


def run(awaitable: Any, interruptible: Interruptible) -> Any:
    """Wait for it. While it runs, `interruptible` knows how to cancel it from another thread."""
    import asyncio  # a third of the start-up time of a process, and most applications do not need it

    loop = _loop()

    async def outer() -> Any:
        task = asyncio.ensure_future(awaitable)

        def interrupt() -> None:
            loop.call_soon_threadsafe(task.cancel)

        interruptible(interrupt)
        return await task

    try:
        return loop.run_until_complete(outer())
    finally:
        interruptible(None)


def _loop() -> Any:
    """One event loop per thread, kept, so that an author's clients can live on."""
    import asyncio

    loop = getattr(_loops, "loop", None)
    if loop is None:
        loop = _loops.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop
