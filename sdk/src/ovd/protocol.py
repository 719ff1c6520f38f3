"""Frames: one JSON header and some bytes, on every socket between our parts.

A frame is an 8-byte prefix (two big-endian unsigned 32-bit numbers: lengths of the header and of the body), the
header (a UTF-8 JSON object with a text under `type`) and the body (raw bytes). Both lengths are bounded, so
that no peer can make us hold more than `MAX_HEADER + CHUNK` bytes of an unfinished frame.
"""

import json
import socket
import struct
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

CHUNK = 1 << 20  # bytes: the longest body; larger files travel as several frames
MAX_HEADER = 16 << 20  # bytes
PREFIX = struct.Struct(">II")

Header = Dict[str, Any]
Frame = Tuple[Header, bytes]
Bytes = Union[bytes, memoryview]

_READ = 1 << 16
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class ProtocolError(Exception):
    """The peer sent what is not a frame, or a frame beyond the bounds. Close the connection: it cannot be
    repaired."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


Decode = Callable[[str], Any]  # raises ValueError, RecursionError

_decode: Decode = json.JSONDecoder(parse_constant=_no_constant).decode


def pack(header: Header, body: bytes = b"") -> bytes:
    """One frame as bytes. Raises ProtocolError when it is beyond the bounds, ValueError when the header is
    not JSON."""
    head = _encode(header).encode()
    if len(head) > MAX_HEADER:
        raise ProtocolError(f"The header has {len(head)} bytes; a frame holds at most {MAX_HEADER}.")
    if len(body) > CHUNK:
        raise ProtocolError(f"The body has {len(body)} bytes; send it in pieces of at most {CHUNK}.")
    return PREFIX.pack(len(head), len(body)) + head + body


def _lengths(prefix: Bytes) -> Tuple[int, int]:
    head, body = PREFIX.unpack(prefix)
    if head > MAX_HEADER or body > CHUNK:
        raise ProtocolError(
            f"A frame announces {head} bytes of header and {body} of body; "
            f"at most {MAX_HEADER} and {CHUNK} are allowed."
        )
    if head < 2:
        raise ProtocolError("A frame announces no header.")
    return head, body


def _header(raw: Bytes, decode: Decode = _decode) -> Header:
    try:
        header = decode(str(raw, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The header of a frame is not JSON: {error}") from None
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise ProtocolError("The header of a frame is not an object with a text under `type`.")
    return header


class Decoder:
    """Turns bytes as they come, in pieces of any size, into frames. After a ProtocolError it stays broken.

    `decode` may be a stricter or quicker reader of JSON than the standard library's."""

    def __init__(self, decode: Decode = _decode) -> None:
        self._decode = decode
        self._buffer = bytearray()
        self._lengths: Optional[Tuple[int, int]] = None  # of the frame that is being collected
        self._error: Optional[ProtocolError] = None

    def feed(self, data: bytes) -> List[Frame]:
        """The frames that `data` completes, in order. Raises ProtocolError as soon as the bytes cannot be
        frames; the frames before it in the same piece are lost with the connection."""
        if self._error is not None:
            raise self._error
        self._buffer += data
        try:
            return self._take()
        except ProtocolError as error:
            self._error = error
            self._buffer = bytearray()  # the old one may still be looked at by the traceback
            raise

    @property
    def is_between_frames(self) -> bool:
        """True when nothing of an unfinished frame is held: the peer may close now without loss."""
        return not self._buffer

    def _take(self) -> List[Frame]:
        frames: List[Frame] = []
        start, end = 0, len(self._buffer)
        with memoryview(self._buffer) as held:
            while True:
                if self._lengths is None:
                    if end - start < PREFIX.size:
                        break
                    self._lengths = _lengths(held[start : start + PREFIX.size])
                head, body = self._lengths
                middle = start + PREFIX.size + head
                if end < middle + body:
                    break
                header = _header(held[start + PREFIX.size : middle], self._decode)
                frames.append((header, bytes(held[middle : middle + body])))
                start = middle + body
                self._lengths = None
        if start:
            del self._buffer[:start]
        return frames


def send(sock: socket.socket, header: Header, body: bytes = b"") -> None:
    """Send one frame on a blocking socket. Raises OSError when the peer is gone."""
    sock.sendall(pack(header, body))


def receive(sock: socket.socket) -> Optional[Frame]:
    """The next frame from a blocking socket; None when the peer closed between two frames.

    Raises ProtocolError when the peer closed inside a frame or sent something else, OSError when it is
    gone."""
    prefix = _exactly(sock, PREFIX.size, may_be_closed=True)
    if prefix is None:
        return None
    head, body = _lengths(prefix)
    rest = _exactly(sock, head + body)
    assert rest is not None
    return _header(rest[:head]), rest[head:]


def _exactly(sock: socket.socket, count: int, *, may_be_closed: bool = False) -> Optional[bytes]:
    first = sock.recv(min(count, _READ))
    if len(first) == count:
        return first
    if not first and may_be_closed:
        return None
    parts = bytearray(first)
    while len(parts) < count:
        more = sock.recv(min(count - len(parts), _READ)) if parts or first else b""
        if not more:
            raise ProtocolError("The peer closed the connection in the middle of a frame.")
        parts += more
    return bytes(parts)
