"""Builds: a piece of work that several callers may wait for while it is done once; each sees its whole log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

KEPT = 1 << 20  # characters of log; a build that says more is cut short there

T = TypeVar("T")
OnText = Callable[[str], None]


class Build(Generic[T]):
    """Work under way. It goes on when those who wait for it leave."""

    def __init__(self, work: Callable[[OnText], Awaitable[T]]) -> None:
        self._said: list[str] = []
        self._length = 0
        self._followers: list[OnText] = []
        self._task = asyncio.ensure_future(work(self._say))
        self._task.add_done_callback(_looked_at)

    @property
    def is_over(self) -> bool:
        return self._task.done()

    def when_over(self, then: Callable[[], None]) -> None:
        self._task.add_done_callback(lambda _: then())

    async def cancel(self) -> None:
        """Returns when the work has cleaned up after itself."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def follow(self, on_text: OnText) -> T:
        """The result, or what the work raised; `on_text` gets the log from its first line on."""
        for text in self._said:
            on_text(text)
        self._followers.append(on_text)
        try:
            return await asyncio.shield(self._task)
        finally:
            self._followers.remove(on_text)

    def _say(self, text: str) -> None:
        if self._length > KEPT:
            return
        self._length += len(text) + 1
        if self._length > KEPT:
            text = "… the log is cut here: it is longer than 1 MiB"
        self._said.append(text)
        for follower in list(self._followers):
            follower(text)


def _looked_at(task: "asyncio.Future[T]") -> None:
    """A failure that nobody waits for any more is told in the log only."""
    if not task.cancelled():
        task.exception()
