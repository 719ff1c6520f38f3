"""The channel to one application process: frames over its unix socket, many executions on one connection. Floor 2."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import orjson

from ovd import protocol

CONNECT_SECONDS = 2.0
LONGEST_COMPLAINT = 300  # characters
_WRITE_HIGH = 4 << 20  # bytes on their way before a sender has to wait
SPELL_SECONDS = 0.25
SHARE_SECONDS = 0.025  # of each spell, for what a process says beside its answers; then it waits for the next one
LONGEST_REST_SECONDS = 1.0  # on a busy machine, time passes without anybody's doing
FLOOD_SPELLS = 40  # so many in a row are a flood

OnFrame = Callable[[dict[str, Any], bytes], bool]  # whether it was an answer that somebody waits for
OnLost = Callable[[str, bool], None]  # a sentence, and whether the process broke the rules
OnFlood = Callable[[], None]


class ChannelLost(Exception):
    """The process hung up."""


class Channel(asyncio.Protocol):
    """Made by `connect`. `on_lost` is called once, with a sentence, unless `close` was called before.

    The event loop is everybody's. So what a process says beside its answers gets a small share of it: a flood is read
    slowly, which slows its source. When it goes on like that, `on_flood` is told now and then.
    """

    def __init__(self, on_frame: OnFrame, on_lost: OnLost, on_flood: OnFlood) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_flood = on_flood
        self._spell_ends = 0.0  # time.monotonic()
        self._spent = 0.0  # seconds of this spell
        self._floods = 0  # spells in a row that were used up
        self._paused_for: set[object] = set()
        self._decoder = protocol.Decoder(orjson.loads)  # takes no number beyond all bounds, no half of a character
        self._transport: asyncio.Transport | None = None
        self._kept: list[bytes] | None = None  # while frames are read: what is answered to them leaves together
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._complaint = ""

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Never blocks; after large bodies, `await drain()`. On a closed channel nothing happens: `on_lost` tells."""
        if self._kept is not None:
            self._kept.append(pack(header, body))
        elif self._transport is not None:
            self._transport.write(pack(header, body))

    async def drain(self) -> None:
        """Returns when the process has taken most of what was sent. Raises ChannelLost."""
        await self._may_write.wait()
        if not self.is_open:
            raise ChannelLost

    def pause(self, cause: object) -> None:
        """Read no more until `resume` was called for each cause: the disk is slower than the process."""
        if not self._paused_for and self.is_open and self._transport is not None:
            self._transport.pause_reading()
        self._paused_for.add(cause)

    def resume(self, cause: object) -> None:
        if cause in self._paused_for:
            self._paused_for.remove(cause)
            if not self._paused_for and self.is_open and self._transport is not None:
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
        began, is_answer = time.monotonic(), False
        self._kept = []
        try:
            for header, body in self._decoder.feed(data):
                is_answer = self._on_frame(header, body) or is_answer
        except protocol.ProtocolError as error:
            self._complaint = f"It sent what is not a frame: {error}"[:LONGEST_COMPLAINT]
            if self._transport is not None:
                self._transport.abort()
        finally:
            kept, self._kept = self._kept, None
            if kept and self._transport is not None:
                self._transport.write(b"".join(kept))
        if not is_answer:
            self._spend(began, time.monotonic())

    def _spend(self, began: float, now: float) -> None:
        if began >= self._spell_ends:
            if began >= self._spell_ends + SPELL_SECONDS:
                self._floods = 0  # it was quiet for a while
            self._spell_ends, self._spent = began + SPELL_SECONDS, 0.0
        self._spent += now - began
        if self._spent > SHARE_SECONDS and self not in self._paused_for:
            self.pause(self)
            owed = self._spent * SPELL_SECONDS / SHARE_SECONDS - SPELL_SECONDS
            rest = min(max(self._spell_ends - now, owed), LONGEST_REST_SECONDS)
            asyncio.get_running_loop().call_later(max(rest, 0.0), self._rested)

    def _rested(self) -> None:
        self._spell_ends = time.monotonic()
        self.resume(self)
        self._floods += 1
        if self._floods % FLOOD_SPELLS == 0:
            self._on_flood()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._may_write.set()
        self._on_lost(self._complaint or "The process ended before it answered.", bool(self._complaint))


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """A frame as `ovd.protocol.pack` makes it, quicker. Raises ProtocolError, TypeError."""
    head = orjson.dumps(header)
    if len(head) > protocol.MAX_HEADER or len(body) > protocol.CHUNK:
        raise protocol.ProtocolError(f"A frame of {len(head)} and {len(body)} bytes is too large.")
    return protocol.PREFIX.pack(len(head), len(body)) + head + body


def _nobody(reason: str, is_fault: bool) -> None:
    pass


async def connect(address: str, on_frame: OnFrame, on_lost: OnLost, on_flood: OnFlood) -> Channel:
    """A channel to the process that listens at this path. Raises OSError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_SECONDS):
        _, channel = await loop.create_unix_connection(lambda: Channel(on_frame, on_lost, on_flood), address)
    return channel
