"""Connections: one client of a process: what it sent, what waits to be sent to it, and its files and
executions."""

import re
import select
import shutil
import socket
import threading
from pathlib import Path
from typing import IO, Any, Callable, Dict, Optional

from ovd.protocol import Decoder, Header, ProtocolError, pack

HIGH = 4 << 20  # bytes that may wait for a slow client before whoever sends waits too
PATIENCE = 30.0  # s for a client that reads nothing
MAX_UPLOADS = 1024  # executions of one client whose files are arriving
FINAL = ("result", "rejected", "failed")  # types of the frame that ends an execution
_KEY = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Upload:
    """The files that arrived for one execution that has not been asked for yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: Dict[str, Path] = {}
        self.size = 0
        self._open: Dict[str, IO[bytes]] = {}

    def add(self, key: Any, last: Any, piece: bytes, limit: int) -> None:
        """Add a piece of the file `key`. Raises ProtocolError when all of it is more than any input
        allows."""
        if not isinstance(key, str) or not _KEY.fullmatch(key) or not isinstance(last, bool):
            raise ProtocolError("A file frame needs a short name under `file` and true or false under `last`.")
        self.size += len(piece)
        if self.size > limit:
            raise ProtocolError(f"The files of one execution have more than {limit} bytes.")
        opened = self._open.get(key)
        if opened is None:
            if key in self.files:
                raise ProtocolError(f"The file {key} was sent twice.")
            inputs = self.folder / "inputs"
            inputs.mkdir(parents=True, exist_ok=True)
            self.files[key] = inputs / key
            opened = self._open[key] = self.files[key].open("wb")
        opened.write(piece)
        if last:
            self._open.pop(key).close()

    @property
    def is_whole(self) -> bool:
        return not self._open

    def discard(self) -> None:
        for opened in self._open.values():
            opened.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Connection:
    """One client. `send` may be called from any thread; everything else belongs to whoever reads the
    sockets."""

    def __init__(self, sock: socket.socket, wants_write: Callable[["Connection", bool], None]) -> None:
        self.sock = sock
        self.decoder = Decoder()
        self.uploads: Dict[Any, Upload] = {}
        self.executions: Dict[Any, Any] = {}  # id → job that has no final frame yet
        self.is_closed = False
        self._lock = threading.Lock()
        self._held: Optional[Header] = None
        self._pending = bytearray()
        self._wants_write = wants_write
        self._is_waiting_to_write = False

    def hold(self, header: Header) -> None:
        """Say this of an execution before anything else is said; but not at all when its end is what comes next."""
        with self._lock:
            self._held = header

    def send(self, header: Header, body: bytes = b"", *, may_wait: bool = True) -> None:
        """Send a frame; when the client is gone, nothing happens. Raises ProtocolError or ValueError when it is no
        frame."""
        frame = pack(header, body)
        with self._lock:
            if self.is_closed:
                return
            if self._held is not None:
                frame = self._said_first(header) + frame
            if self._pending:
                self._pending += frame
                self._push()
            else:
                self._send_first(frame)
            if len(self._pending) > HIGH:
                self._wait_for_the_client(PATIENCE if may_wait else 0.0)

    def flush(self, patience: float = 0.0) -> None:
        """Send what waits, as far as the client takes it; wait for it at most `patience` seconds."""
        if not self._lock.acquire(timeout=0.02 + patience):
            return  # somebody is sending, and will go on
        try:
            if self._held is not None and not self.is_closed:
                self._pending += self._said_first({})
            if self._pending and not self.is_closed:
                self._push()
                if patience:
                    self._wait_for_the_client(patience, down_to=0)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Forget the client and the files that arrived for nothing."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            self._pending.clear()
            self.sock.close()
        for upload in self.uploads.values():
            upload.discard()
        self.uploads.clear()

    def _said_first(self, header: Header) -> bytes:
        held, self._held = self._held, None
        assert held is not None
        is_over = header.get("type") in FINAL and header.get("id") == held["id"]
        return b"" if is_over else pack(held)

    def _send_first(self, frame: bytes) -> None:
        try:
            sent = self.sock.send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the reading side sees the end, and closes
        if sent < len(frame):
            self._pending += memoryview(frame)[sent:]
            self._wait_to_write(True)

    def _push(self) -> None:
        try:
            while self._pending:
                with memoryview(self._pending) as waiting:
                    sent = self.sock.send(waiting[: 1 << 20])
                del self._pending[:sent]
        except BlockingIOError:
            self._wait_to_write(True)
            return
        except OSError:
            self._pending.clear()
        self._wait_to_write(False)

    def _wait_to_write(self, is_wanted: bool) -> None:
        if is_wanted != self._is_waiting_to_write:
            self._is_waiting_to_write = is_wanted
            self._wants_write(self, is_wanted)

    def _wait_for_the_client(self, patience: float, down_to: int = HIGH // 2) -> None:
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        while len(self._pending) > down_to:
            if not poll.poll(patience * 1000):
                self._pending.clear()
                self._give_up()
                return
            self._push()

    def _give_up(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
