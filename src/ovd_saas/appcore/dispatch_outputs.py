"""Output files: from the frames of a process into the file store, beside the event loop. Floor 2."""

import asyncio
from collections import deque
from typing import Any

from ovd_saas.appcore import dispatch_told as told
from ovd_saas.appcore.dispatch_channel import Channel
from ovd_saas.files import Stored
from ovd_saas.files.store import Writer

MOST_FILES = 2_000  # of one execution
MOST_UNFINISHED = 64  # at once: each holds a descriptor
LONGEST_KEY = 64  # characters
_HELD_PIECES = 256  # likewise
_HELD = 8 << 20  # bytes waiting for the disk before the process has to wait


class UnknownFile(LookupError):
    """The process named a file that it did not send whole."""


class TooMuch(Exception):
    """It sent more than it may; the text says of what."""


class OutputFiles:
    """The files of one execution. Nothing is kept of them unless `canonical` made it durable.

    When something is wrong (too much, a full disk), the rest is read and thrown away, and `canonical` says what.
    """

    def __init__(self, channel: Channel, *, most_mb: float) -> None:
        self._channel = channel
        self._most_mb = most_mb
        self._count = 0
        self._error: Exception | None = None
        self._is_dropped = False
        self._chunks: deque[tuple[str, bytes, bool]] = deque()
        self._held = 0
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._writers: dict[str, Writer] = {}
        self._complete: dict[str, Writer] = {}
        self._stored: dict[str, Stored] = {}

    def feed(self, file: str, chunk: bytes, *, last: bool) -> None:
        self._size += len(chunk)
        if self._size > self._most_mb * (1 << 20):
            self._give_up(TooMuch(f"they have more than its disk limit of {self._most_mb:g} MB together."))
        if self._error is not None or self._is_dropped:
            return
        self._chunks.append((file, chunk, last))
        self._held += len(chunk)
        if self._held > _HELD or len(self._chunks) > _HELD_PIECES:
            self._channel.pause(self)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def canonical(self, value: Any) -> Any:
        """An output value as it is archived; its file is durable then. Raises UnknownFile, TooMuch, OSError."""
        if not (isinstance(value, dict) and isinstance(value.get("file"), str)):
            return value
        stored = await self._store(value["file"])
        about = {key: told.text(value.get(key), told.LONGEST_NAME) for key in ("name", "media_type")}
        return {**about, "size": stored.size, "digest": stored.digest}

    async def drop(self) -> None:
        """Afterwards nothing is left of what was not stored."""
        self._is_dropped = True
        self._chunks.clear()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._channel.resume(self)
        for writer in [*self._writers.values(), *self._complete.values()]:
            writer.abort()

    async def _store(self, file: str) -> Stored:
        if self._task is not None:
            await self._task
        if self._error is not None:
            raise self._error
        if file not in self._stored:
            writer = self._complete.pop(file, None)
            if writer is None:
                raise UnknownFile(file)
            self._stored[file] = await asyncio.to_thread(writer.commit)
        return self._stored[file]

    def _give_up(self, error: Exception) -> None:
        self._error = self._error or error
        self._chunks.clear()
        self._held = 0
        self._channel.resume(self)

    async def _write(self) -> None:
        try:
            while self._chunks:
                await self._write_one(*self._chunks.popleft())
        except (OSError, TooMuch) as error:
            self._give_up(error)

    async def _write_one(self, file: str, chunk: bytes, is_last: bool) -> None:
        writer = self._writers.get(file)
        if writer is None:
            writer = self._writers[file] = await self._begin(file)
        await asyncio.to_thread(writer.write, chunk)
        self._held -= len(chunk)
        if self._held <= _HELD // 2 and len(self._chunks) <= _HELD_PIECES // 2:
            self._channel.resume(self)
        if is_last:
            del self._writers[file]
            writer.rest()
            self._complete[file] = writer

    async def _begin(self, file: str) -> Writer:
        self._count += 1
        if self._count > MOST_FILES:
            raise TooMuch(f"they are more than {MOST_FILES:,} files.")
        if len(self._writers) >= MOST_UNFINISHED:
            raise TooMuch(f"more than {MOST_UNFINISHED} files were begun and not ended.")
        if not 0 < len(file) <= LONGEST_KEY or file in self._complete or file in self._stored:
            raise TooMuch("a file was sent twice, or without a short name.")
        return await asyncio.to_thread(Writer)
