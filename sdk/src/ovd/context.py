"""Context: what an application may ask and tell while it executes or learns."""

import time
from pathlib import Path
from typing import Any, Callable, Optional


class Cancelled(BaseException):
    """Raised inside an application by `progress`, `log`, `metric` or `save` after its execution was cancelled. Do not
    catch it."""


class Yielded(BaseException):
    """Raised inside `learn` by `save` when the run has to give way; it begins again later, with the checkpoint that was
    just saved. Do not catch it."""


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
        on_save: Callable[[], None] = _ignore,
    ) -> None:
        self.seed = seed  # also given to random, numpy and torch before the execution
        self.model = model  # folder of the live model version
        self._checkpoint = checkpoint
        self._scratch = scratch
        self.deadline = deadline  # on the monotonic clock
        self._cancelled = False
        self._should_yield = False
        self.execution: Any = None  # the platform's side of it; not for authors
        self._on_progress = on_progress
        self._on_log = on_log
        self._on_metric = on_metric
        self._on_save = on_save

    @property
    def scratch(self) -> Path:
        """A folder of this execution alone, empty at first and removed afterwards."""
        return self._scratch()

    @property
    def checkpoint(self) -> Path:
        """A folder for half-done work of this learning run. In a new run it is empty; when a run goes on after it gave
        way, or after a crash, it holds what it held at the last `save`. Only `learn` has one."""
        if self._checkpoint is None:
            raise RuntimeError("There is a checkpoint only while an application learns.")
        return self._checkpoint

    def save(self) -> None:
        """Make what is in `checkpoint` now safe against a crash; it costs a copy of the folder.

        When this run has to give way (`should_yield`), this does not return: it raises Yielded, and the run begins
        again later with this checkpoint. Call it at moments from which `learn` can go on."""
        if self._checkpoint is None:
            raise RuntimeError("Only an application that learns can save a checkpoint.")
        self._stop_if_cancelled()
        self._on_save()
        if self._should_yield:
            raise Yielded

    @property
    def should_yield(self) -> bool:
        """True once somebody needs the application: put what you have into `checkpoint` and call `save` within
        seconds, or that work is done again."""
        return self._should_yield

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

    def ask_to_yield(self) -> None:
        """Called by the platform: `should_yield` becomes True."""
        self._should_yield = True

    def _stop_if_cancelled(self) -> None:
        if self.is_cancelled:
            raise Cancelled
