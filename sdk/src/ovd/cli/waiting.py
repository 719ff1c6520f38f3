"""Waiting: what a person sees while something works: a bar on a terminal, a line per phase elsewhere. On stderr."""

import sys
from types import TracebackType
from typing import Any, Optional


class Waiting:
    """Shows the phase and the progress of one piece of work; use it in a `with`."""

    def __init__(self, what: str) -> None:
        self._stream = sys.stderr  # as it is now: an execution in this process replaces it for a while
        self._what = what
        self._phase = ""
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Waiting":
        if self._stream.isatty():
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
                description=": ".join(part for part in (self._what, phase, message) if part),
                total=None if fraction is None else 1.0,
                completed=fraction or 0.0,
            )
        elif phase and phase != self._phase:
            self.say(f"{self._what}: {phase}\n")
        self._phase = phase

    def say(self, text: str) -> None:
        """Print what the work prints, above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, end="", markup=False, highlight=False, emoji=False, soft_wrap=True)
        else:
            print(text, end="", file=self._stream, flush=True)

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(
            *columns,
            console=Console(file=self._stream),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(self._what, total=None)
        self._bar.start()
