"""Context: what an application may ask and tell while it executes or learns."""

import time
from pathlib import Path
from typing import Any, Callable, Optional


class Cancelled(BaseException):
    """Raised inside an application by `progress`, `log` or `metric` after its execution was cancelled. Do
    not catch it."""


def _ignore(*_: object) -> None:
    return None


class Context:
    """One execution or learning run, seen from inside. Its methods may be called from any thread."""

    def __init__(
        self,
        *,
        seed: int = 0,
        model: Optional[Path] = None,
        checkpoint: Optional[Path] = None,
        scratch: Callable[[], Path],
        deadline: Optional[float] = None,
        on_progress: Callable[[float, str], None] = _ignore,
        on_log: Callable[[str], None] = _ignore,
        on_metric: Callable[[str, float, Optional[int]], None] = _ignore,
    ) -> None:
        self.seed = seed  # also given to random, numpy and torch before the execution
        self.model = model  # folder of the live model version
        self.checkpoint = checkpoint  # folder that survives an interrupted learning run
        self._scratch = scratch
        self.deadline = deadline  # on the monotonic clock
        self._cancelled = False
        self.execution: Any = None  # the platform's side of it; not for authors
        self._on_progress = on_progress
        self._on_log = on_log
        self._on_metric = on_metric

    @property
    def scratch(self) -> Path:
        """A folder of this execution alone, empty at first and removed afterwards."""
        return self._scratch()

    @property
    def is_cancelled(self) -> bool:
        """True once somebody cancelled, or the time limit passed: stop soon; what you return is thrown
        away."""
        return self._cancelled or self.is_late

    @property
    def is_late(self) -> bool:
        """True once the time limit passed."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell people how far it is: `fraction` from 0 to 1."""
        self._stop_if_cancelled()
        fraction = float(fraction)
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"Progress is a fraction from 0 to 1, not {fraction}.")
        self._on_progress(fraction, str(message))

    def log(self, text: str) -> None:
        """Add a line to the log of this execution, as `print` does."""
        self._stop_if_cancelled()
        self._on_log(str(text))

    def metric(self, name: str, value: float, step: Optional[int] = None) -> None:
        """Record a number to be drawn as a curve over `step`."""
        self._stop_if_cancelled()
        self._on_metric(str(name), float(value), step)

    def cancel(self) -> None:
        """Called by the platform: `is_cancelled` becomes True."""
        self._cancelled = True

    def _stop_if_cancelled(self) -> None:
        if self.is_cancelled:
            raise Cancelled
