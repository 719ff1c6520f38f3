"""Stand-in: the thread that reads the sockets while the one that reads them is busy with a long execution."""

import threading
import time
from typing import Callable

HANDOVER = 0.02  # s of executing after which the stand-in reads
QUIET = 0.5  # s without execution after which it stops looking, so that an idle process does nothing at all


class StandIn:
    """`stand_in(is_needed)` reads until `is_needed()` is False; `wake` has it look again."""

    def __init__(self, stand_in: Callable[[Callable[[], bool]], None], wake: Callable[[], None]) -> None:
        self._stand_in = stand_in
        self._wake = wake
        self._busy_since = 0.0  # moment at which the running execution began; 0 = none
        self._is_reading = False
        self._is_resting = True
        self._rouse = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="stand-in", daemon=True).start()

    def begin(self) -> None:
        """The reading thread is about to execute."""
        self._busy_since = time.monotonic()
        if self._is_resting:
            self._is_resting = False
            self._rouse.set()

    def end(self) -> None:
        """It has executed, and will read again."""
        self._busy_since = 0.0
        if self._is_reading:
            self._wake()

    def _watch(self) -> None:
        seen, last = 0.0, time.monotonic()
        while True:
            since = self._busy_since
            if since != seen:
                seen, last = since, time.monotonic()
            elif not since and time.monotonic() - last > QUIET:
                self._rest()
                last = time.monotonic()
            if since and time.monotonic() - since >= HANDOVER:
                self._is_reading = True
                self._stand_in(lambda since=since: self._busy_since == since)  # type: ignore[misc]
                self._is_reading = False
            else:
                time.sleep(HANDOVER)

    def _rest(self) -> None:
        """Wait until something is executed. Whoever begins looks at `_is_resting` after it became busy, and
        we look
        at that after we rest: one of the two sees the other."""
        self._rouse.clear()
        self._is_resting = True
        if not self._busy_since:
            self._rouse.wait()
