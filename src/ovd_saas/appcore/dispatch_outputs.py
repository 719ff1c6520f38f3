"""Output files: from the frames of a process into the file store, beside the event loop. Floor 2."""

import asyncio
from collections import deque
from typing import Any

from ovd_saas.appcore.dispatch_channel import Channel
from ovd_saas.files import Stored
from ovd_saas.files.store import Writer

LARGEST_OUTPUT = 4 << 30  # bytes of one execution
_HELD = 8 << 20  # bytes waiting for the disk before the process has to wait


class UnknownFile(LookupError):
    """The process named a file that it did not send whole."""


class OutputFiles:
    """The files of one execution. Nothing is kept of them unless `stored` made it durable."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._chunks: deque[tuple[str, bytes, bool]] = deque()
        self._held = 0
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._writers: dict[str, Writer] = {}
        self._complete: dict[str, Writer] = {}
        self._stored: dict[str, Stored] = {}

    def feed(self, file: str, chunk: bytes, *, last: bool) -> None:
        self._chunks.append((file, chunk, last))
        self._held += len(chunk)
        self._size += len(chunk)
        if self._held > _HELD:
            self._channel.pause()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def canonical(self, value: Any) -> Any:
        """An output value as it is archived; its file is durable then. Raises UnknownFile, OSError."""
        if not (isinstance(value, dict) and isinstance(value.get("file"), str)):
            return value
        stored = await self._store(value["file"])
        about = {"name": str(value.get("name", "")), "media_type": str(value.get("media_type", ""))}
        return {**about, "size": stored.size, "digest": stored.digest}

    async def drop(self) -> None:
        """Afterwards nothing is left of what was not stored."""
        if self._task is not None:
            await asyncio.wait([self._task])
        for writer in [*self._writers.values(), *self._complete.values()]:
            writer.abort()

    async def _store(self, file: str) -> Stored:
        if self._task is not None:
            await self._task
        if file not in self._stored:
            if self._size > LARGEST_OUTPUT:
                raise OSError(f"its files have more than {LARGEST_OUTPUT >> 30} GiB together")
            writer = self._complete.pop(file, None)
            if writer is None:
                raise UnknownFile(file)
            self._stored[file] = await asyncio.to_thread(writer.commit)
        return self._stored[file]

    async def _write(self) -> None:
        while self._chunks:
            file, chunk, last = self._chunks.popleft()
            writer = self._writers.get(file)
            if writer is None:
                writer = self._writers[file] = await asyncio.to_thread(Writer)
            if self._size <= LARGEST_OUTPUT:
                await asyncio.to_thread(writer.write, chunk)
            self._held -= len(chunk)
            if self._held <= _HELD // 2:
                self._channel.resume()
            if last:
                self._complete[file] = self._writers.pop(file)
