"""Connections: a socket that carries frames, as asyncio sees it. Used for callers and for our processes alike."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from ovd import protocol

SLOWEST = 64 << 20  # bytes that wait for a peer who does not read, before we hang up

Header = dict[str, Any]


class Connection(asyncio.Protocol):
    """Hands each frame to `on_frame`. A peer that sends anything else, or does not read, loses the connection."""

    def __init__(
        self, on_frame: Callable[["Connection", Header, bytes], None], on_close: Callable[["Connection"], None]
    ) -> None:
        self._on_frame = on_frame
        self._on_close = on_close
        self._decoder = protocol.Decoder()
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._decoder.feed(data)
        except protocol.ProtocolError as error:
            self.send({"type": "failed", "code": "protocol", "message": str(error)})
            self.close()
            return
        for header, body in frames:
            if self.is_open:
                self._on_frame(self, header, body)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._on_close(self)

    def send(self, header: Header, body: bytes = b"") -> None:
        """Send, or do nothing when the peer is gone: whoever needs to know is told by `on_close`."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(protocol.pack(header, body))
        if self._transport.get_write_buffer_size() > SLOWEST:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Caller(Connection):
    """A connection from another process of the same user; from anybody else it is closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if peer_uid(transport.get_extra_info("socket")) != os.getuid():
            self.send({"type": "failed", "code": "foreign", "message": "This runner serves its own user only."})
            self.close()


def peer_uid(sock: socket.socket) -> int:
    """The user at the other end of a unix socket, as the kernel knows it."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", raw)[1]
    return uid
