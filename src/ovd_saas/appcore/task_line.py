"""A task line: the connection to one process that learns or evaluates (docs/reference/frames.md). Floor 2.

It blocks, so whoever holds it has a thread of its own; `wake()` interrupts its waiting from any other thread.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from ovd import protocol
from ovd.protocol import CHUNK, ProtocolError
from ovd_saas.appcore import task_events
from ovd_saas.appcore.dispatch_told import printable
from ovd_saas.appcore.task_events import Event
from ovd_saas.files import Stored
from ovd_saas.files.store import Writer

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # of a process that owes us bytes, or takes none
LONGEST_FETCH_SECONDS = 900.0  # of one file
MOST_WAITING = 32 << 20  # bytes that were told and that nobody has looked at yet
SPELL_SECONDS = 0.25
SHARE_SECONDS = 0.05  # of each spell, for reading what it tells: AppCore is everybody's
EVENT_BYTES = 512  # what an event holds beside its text
LONGEST_COMPLAINT = 500  # characters


class LineLost(Exception):
    """The process hung up, or sent what is not a frame."""


class TaskLine:
    """`beat` is called about once a second while it sends or fetches much; it may raise to give up."""

    def __init__(self, address: str, task: str, *, beat: Callable[[], None] = lambda: None) -> None:
        self.task = task
        self._beat = beat
        self._beat_at = time.monotonic()
        self._decoder = protocol.Decoder(orjson.loads)
        self._events: deque[Event] = deque()
        self._pieces: deque[tuple[str, bytes, bool]] = deque()
        self._waiting = 0  # bytes of the events
        self._fetching: str | None = None  # the file that was asked for; of others, nothing is kept
        self._spell_ends, self._spent = 0.0, 0.0
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(CONNECT_SECONDS)
        try:
            self._sock.connect(address)
        except OSError as error:
            self.close()
            raise LineLost(f"The process does not answer: {error}.") from None
        self._sock.settimeout(SILENCE_SECONDS)

    def close(self) -> None:
        for sock in (self._sock, self._woken, self._waker):
            sock.close()

    def wake(self) -> None:
        """Have `events` return now; from any thread."""
        try:
            self._waker.send(b"!")
        except OSError:
            return  # it is awake already, or closed

    def put(self, file: str, pieces: Iterable[bytes]) -> int:
        """Afterwards the process has the bytes under this key; how many they were. Raises LineLost."""
        size = 0
        for piece in _whole(pieces):
            size += len(piece)
            self._send({"type": "file", "file": file, "last": False}, piece)
        self._send({"type": "file", "file": file, "last": True})
        return size

    def ask(self, kind: str, **values: Any) -> None:
        """Send `learn`, `evaluate`, `follow`, `yield` or `cancel`. Raises LineLost."""
        self._send({"type": kind, **values})

    def events(self, seconds: float) -> Iterator[Event]:
        """What was told, as soon as there is something, or nothing after so many seconds or `wake`. Raises LineLost."""
        if not self._events:
            readable, _, _ = select.select([self._sock, self._woken], [], [], seconds)
            if self._woken in readable:
                self._woken.recv(4096)
            if self._sock in readable:
                began = time.monotonic()
                self._read()
                self._spend(began, time.monotonic())
        self._waiting = 0
        while self._events:
            yield self._events.popleft()

    def fetch(self, file: str, *, most: int) -> Stored:
        """A file of the process with at most so many bytes, durable in the file store. Raises LineLost, OSError."""
        with Writer() as writer:
            for piece in self.pieces(file, most=most):
                writer.write(piece)
            return writer.commit()

    def pieces(self, file: str, *, most: int) -> Iterator[bytes]:
        """The bytes of a file of the process, at most so many. Raises LineLost."""
        self._pieces.clear()
        self._fetching = file
        try:
            self._send({"type": "fetch", "file": file})
            yield from self._arriving(file, most)
        finally:
            self._fetching = None
            self._pieces.clear()

    def _arriving(self, file: str, most: int) -> Iterator[bytes]:
        until, size = time.monotonic() + LONGEST_FETCH_SECONDS, 0
        while True:
            while not self._pieces:
                self._read()
                self._keep_beating()
                if time.monotonic() > until:
                    raise LineLost(f"The process took more than {LONGEST_FETCH_SECONDS:g} s to send a file.")
            name, piece, is_last = self._pieces.popleft()
            if name != file:
                raise LineLost(f"The process sent the file {name[:100]!r} instead of {file[:100]!r}.")
            size += len(piece)
            if size > most:
                raise LineLost(f"The process sent a file of more than {most / (1 << 20):.3g} MiB.")
            yield piece
            self._keep_beating()
            if is_last:
                return

    def _send(self, header: dict[str, Any], body: bytes = b"") -> None:
        head = orjson.dumps({**header, "id": self.task})
        try:
            self._sock.sendall(protocol.PREFIX.pack(len(head), len(body)) + head + body)
        except OSError as error:
            raise LineLost(f"The process hung up: {error}.") from None
        self._keep_beating()

    def _read(self) -> None:
        try:
            data = self._sock.recv(1 << 18)
        except OSError as error:
            raise LineLost(f"The process says nothing: {error}.") from None
        if not data:
            raise LineLost("The process ended before it had finished.")
        try:
            for header, body in self._decoder.feed(data):
                self._take(header, body)
        except (ProtocolError, KeyError, TypeError, ValueError) as error:
            why = printable(str(error)[:LONGEST_COMPLAINT])
            raise LineLost(f"The process sent what is not a frame of ours: {why}.") from None

    def _take(self, header: dict[str, Any], body: bytes) -> None:
        if header.get("id") != self.task:
            return
        if header["type"] == "event":
            told = task_events.read(header)
            self._events.append(told)
            self._waiting += EVENT_BYTES + len(str(told.body.get("text", "")))
            if self._waiting > MOST_WAITING:
                raise ValueError("it tells more than anybody can hear")
        elif header["type"] == "file":
            if self._fetching is None:
                return
            if header.get("gone"):
                raise ValueError(f"it has no file {str(header['file'])[:100]!r}")
            self._pieces.append((str(header["file"]), body, bool(header["last"])))
        elif header["type"] == "refused":
            raise ValueError(str(header.get("reason") or "it refused the task"))

    def _spend(self, began: float, now: float) -> None:
        """A flood is read slowly, which slows its source. `wake` does not have to wait for that."""
        if began >= self._spell_ends:
            self._spell_ends, self._spent = began + SPELL_SECONDS, 0.0
        self._spent += now - began
        if self._spent > SHARE_SECONDS:
            select.select([self._woken], [], [], max(self._spell_ends - now, 0.0))

    def _keep_beating(self) -> None:
        if time.monotonic() - self._beat_at > 1.0:
            self._beat()
            self._beat_at = time.monotonic()


def _whole(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that fill a frame."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)
