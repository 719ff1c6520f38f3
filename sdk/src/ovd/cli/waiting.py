"""Waiting: what a person sees while something works: a bar on a terminal, a line per phase elsewhere. On stderr."""

import sys
from types import TracebackType
from typing import Any, Optional


class Waiting:
    """Shows the phase and the progress of one piece of work; use it in a `with`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._phase = ""
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Waiting":
        if sys.stderr.isatty():
            self._start_bar()
        return self

    def __exit__(
        self, kind: "Optional[type[BaseException]]", error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, phase: str, fraction: Optional[float] = None, message: str = "") -> None:
        """The work is in `phase`, `fraction` of it done (None: unknown)."""
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=f"{self._what}: {phase}" + (f", {message}" if message else ""),
                total=None if fraction is None else 1.0,
                completed=fraction or 0.0,
            )
        elif phase != self._phase:
            print(f"{self._what}: {phase}", file=sys.stderr, flush=True)
        self._phase = phase

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self._what, total=None)
        self._bar.start()
