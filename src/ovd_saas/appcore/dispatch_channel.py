"""The channel to one application process: frames over its unix socket, many executions on one connection. Floor 2."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import orjson

from ovd import protocol

CONNECT_SECONDS = 2.0
_WRITE_HIGH = 4 << 20  # bytes on their way before a sender has to wait

OnFrame = Callable[[dict[str, Any], bytes], None]
OnLost = Callable[[str], None]


class ChannelLost(Exception):
    """The process hung up."""


class Channel(asyncio.Protocol):
    """Made by `connect`. `on_lost` is called once, with a sentence, unless `close` was called before."""

    def __init__(self, on_frame: OnFrame, on_lost: OnLost) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._decoder = protocol.Decoder()
        self._transport: asyncio.Transport | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._complaint = ""

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Never blocks; after large bodies, `await drain()`. On a closed channel nothing happens: `on_lost` tells."""
        if self._transport is not None:
            self._transport.write(pack(header, body))

    async def drain(self) -> None:
        """Returns when the process has taken most of what was sent. Raises ChannelLost."""
        await self._may_write.wait()
        if not self.is_open:
            raise ChannelLost

    def pause(self) -> None:
        """Read no more for now: the disk is slower than the process."""
        if self.is_open and self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.is_open and self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Hang up, without a word to `on_lost`."""
        self._on_lost = _nobody
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none, but does the same
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)

    def data_received(self, data: bytes) -> None:
        try:
            for header, body in self._decoder.feed(data):
                self._on_frame(header, body)
        except protocol.ProtocolError as error:
            self._complaint = f"The process sent what is not a frame: {error}"
            if self._transport is not None:
                self._transport.abort()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._may_write.set()
        self._on_lost(self._complaint or "The process ended before it answered.")


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """A frame as `ovd.protocol.pack` makes it, quicker. Raises ProtocolError, TypeError."""
    head = orjson.dumps(header)
    if len(head) > protocol.MAX_HEADER or len(body) > protocol.CHUNK:
        raise protocol.ProtocolError(f"A frame of {len(head)} and {len(body)} bytes is too large.")
    return protocol.PREFIX.pack(len(head), len(body)) + head + body


def _nobody(reason: str) -> None:
    pass


async def connect(address: str, on_frame: OnFrame, on_lost: OnLost) -> Channel:
    """A channel to the process that listens at this path. Raises OSError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_SECONDS):
        _, channel = await loop.create_unix_connection(lambda: Channel(on_frame, on_lost), address)
    return channel
