"""A loop: ticks in a thread of its own, soon after a nudge, and at least once a period. Floor 2."""

import threading
from collections.abc import Callable, Collection

import structlog
from django.db import connections

from ovd_saas.store.connections import keep_sound

log = structlog.get_logger()
PAUSE_AFTER_ERROR_SECONDS = 1.0
GAP_SECONDS = 0.01  # between ticks, so that a flood of nudges costs little


class Loop:
    """`tick()` does one small thing and returns True if there may be more. `period_seconds` may be a question: how
    long to wait for a nudge now. Between a nudge and its tick `settle_seconds` pass, for what is not urgent: others go
    first, and what they cause is looked at in the same tick."""

    def __init__(
        self,
        name: str,
        tick: Callable[[], bool],
        *,
        period_seconds: float | Callable[[], float],
        hears: Collection[str] = (),
        settle_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.hears = hears  # what notices are about that nudge it
        self._tick = tick
        self._period = period_seconds
        self._settle = settle_seconds
        self._nudged = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        """There may be something to do now."""
        self._nudged.set()

    def stop(self) -> None:
        self._stopping.set()
        self._nudged.set()

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._nudged.clear()
            try:
                keep_sound()
                while self._tick() and not self._stopping.is_set():
                    pass
            except Exception:
                log.exception("a loop's tick failed", loop=self.name)
                connections.close_all()
                self._stopping.wait(PAUSE_AFTER_ERROR_SECONDS)
            self._stopping.wait(GAP_SECONDS)
            is_nudged = self._nudged.wait(self._period() if callable(self._period) else self._period)
            if is_nudged and self._settle:
                self._stopping.wait(self._settle)
        connections.close_all()
