"""A watch over runs: who has not ended after a while is called late. Floor 2."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from ovd_saas.appcore.dispatch_run import Run

READ_SECONDS = 0.001  # until the loop has read what had arrived


class Watch:
    """`late` is called for each run that is not settled `seconds` after it was added.

    As all have the same time, the oldest is the next: one timer does for all of them, where a timer for each would cost
    a quick run more than its token.
    """

    def __init__(self, seconds: float, late: Callable[[Run], None]) -> None:
        self._seconds = seconds
        self._late = late
        self._runs: deque[Run] = deque()  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def add(self, run: Run) -> None:
        """It begins now."""
        while self._runs and self._runs[0].is_settled:
            self._runs.popleft()
        self._runs.append(run)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ring)

    def _ring(self) -> None:
        """After a stall of this server, what it has not read is no reason to call anybody late: read first."""
        self._timer = asyncio.get_running_loop().call_later(READ_SECONDS, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._runs:
            run = self._runs[0]
            rest = run.sent + self._seconds - time.monotonic()
            if not run.is_settled and rest > 0:
                self._timer = loop.call_later(rest, self._ring)
                return
            self._runs.popleft()
            if not run.is_settled:
                self._late(run)
