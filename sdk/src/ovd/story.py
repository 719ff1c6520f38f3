"""Story: what happened in a task, numbered and kept, so that a client who was away gets what it missed."""

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Tuple, Union

from ovd.protocol import pack

LOG = 256 << 10  # characters of printed text kept: the latest
METRICS = 100_000  # points of curves kept: the latest
MERGED = 64 << 10  # characters that one log event gathers while nobody has read it
PATIENCE = 2.0  # s for which whoever prints much waits until the client has read
LATEST = ("progress", "checkpoint")  # of these the newest says all
FINAL = ("done", "failed", "yielded")


class _Log:
    """Printed text that may still grow."""

    __slots__ = ("characters", "pieces", "stream")

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.pieces: List[str] = []
        self.characters = 0


class Story:
    """Events 1, 2, 3 …; what is forgotten leaves a gap. After the final event nothing is added. For any thread."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.id: Any = None
        self._on_change = on_change
        self._changed = threading.Condition(threading.RLock())  # re-entrant: a destructor may print while we write
        self._events: Dict[int, Union[bytes, _Log]] = {}  # frames, and logs that become frames when they are read
        self._last = 0
        self._is_over = False
        self._latest: Dict[str, int] = {}  # kind → its only event
        self._metrics: Deque[int] = deque()
        self._logs: Deque[Tuple[int, _Log]] = deque()
        self._logged = 0  # characters kept
        self._unread = 0  # characters kept that nobody has read
        self._read = 0  # the newest event that somebody has read
        self._is_followed = False

    @property
    def last(self) -> int:
        """Number of the newest event."""
        return self._last

    @property
    def is_over(self) -> bool:
        return self._is_over

    def tell(self, kind: str, body: Dict[str, Any]) -> bool:
        """Add an event; False when the story is over. Raises ProtocolError or ValueError when `body` is no frame."""
        with self._changed:
            if self._is_over:
                return False
            number = self._last + 1
            self._events[number] = self._frame(number, kind, body)
            self._last = number
            self._is_over = kind in FINAL
            if kind in LATEST:
                self._events.pop(self._latest.get(kind, 0), None)
                self._latest[kind] = number
            elif kind == "metric":
                self._metrics.append(number)
                if len(self._metrics) > METRICS:
                    del self._events[self._metrics.popleft()]
            if self._is_over:
                self._changed.notify_all()
        self._on_change()
        return True

    def log(self, text: str, stream: str) -> None:
        """Add printed text. Waits a moment for a client that reads slower than this is printed."""
        with self._changed:
            if self._is_over or not text:
                return
            if self._is_followed and self._unread + len(text) > LOG // 2:
                self._is_followed = self._changed.wait_for(lambda: self._unread < LOG // 4 or self._is_over, PATIENCE)
                if self._is_over:
                    return
            self._add_log(text, stream)
        self._on_change()

    def _add_log(self, text: str, stream: str) -> None:
        log = self._events.get(self._last)
        if not isinstance(log, _Log) or log.stream != stream or log.characters + len(text) > MERGED:
            self._last += 1
            log = self._events[self._last] = _Log(stream)
            self._logs.append((self._last, log))
        log.pieces.append(text)
        log.characters += len(text)
        self._logged += len(text)
        self._unread += len(text)
        while self._logged > LOG:
            number, oldest = self._logs.popleft()
            self._logged -= oldest.characters
            if number > self._read:
                self._unread -= oldest.characters
            del self._events[number]

    def _frame(self, number: int, kind: str, body: Dict[str, Any]) -> bytes:
        return pack({"type": "event", "id": self.id, "seq": number, "kind": kind, "body": body})

    def after(self, number: int, most: int) -> Tuple[bytes, int]:
        """About `most` bytes of the frames after that number, and the number up to which they reach."""
        found = bytearray()
        with self._changed:
            while number < self._last and len(found) < most:
                number += 1
                event = self._events.get(number, b"")
                if isinstance(event, _Log):
                    self._unread -= event.characters
                    body = {"stream": event.stream, "text": "".join(event.pieces)}
                    event = self._events[number] = self._frame(number, "log", body)
                found += event
            if number > self._read:
                self._read, self._is_followed = number, True
                self._changed.notify_all()
        return bytes(found), number
