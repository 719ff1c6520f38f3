"""Printed text: what an author's code prints, passed on line by line."""

import threading
from typing import Callable, Dict

LONGEST = 64 * 1024  # characters passed on at once


class Printed:
    """Whole lines go to `tell(text, stream)` at once; the rest waits for its end."""

    __slots__ = ("_lock", "_tell", "_unfinished")

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._lock = threading.RLock()  # a destructor may print while we do
        self._unfinished: Dict[str, str] = {}  # stream → the line that has no end yet

    def add(self, text: str, stream: str) -> None:
        with self._lock:
            text = self._unfinished.pop(stream, "") + text
            whole, newline, rest = text.rpartition("\n")
            if len(rest) > LONGEST:
                whole, newline, rest = text, "", ""
            if rest:
                self._unfinished[stream] = rest
            for start in range(0, len(whole) + len(newline), LONGEST):
                self._tell((whole + newline)[start : start + LONGEST], stream)

    def finish(self) -> None:
        """Pass on what has no end."""
        if not self._unfinished:
            return
        with self._lock:
            for stream, text in self._unfinished.items():
                self._tell(text, stream)
            self._unfinished.clear()
