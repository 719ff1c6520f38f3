"""Streams: what an application prints goes to the process log and, tagged, to the execution or task that printed it."""

import contextlib
import contextvars
import io
import os
import sys
from typing import Any, Callable, Iterable, Iterator, Optional, Protocol


class Printing(Protocol):
    """An execution or a task, which prints."""

    @property
    def print(self) -> Callable[[str, str], None]:
        """Takes a text, and the name of its stream."""


current: "contextvars.ContextVar[Optional[Printing]]" = contextvars.ContextVar("current", default=None)


class TaggedStream(io.TextIOBase):
    """In place of sys.stdout or sys.stderr. A thread that the author started prints for the only running
    execution, when there is only one."""

    def __init__(self, name: str, through: Any, only_one: Callable[[], Optional[Printing]]) -> None:
        self._name = name
        self._through = through
        self._only_one = only_one

    def write(self, text: str) -> int:
        with _ending_with_the_runner():
            try:
                self._through.write(text)
            except UnicodeEncodeError:
                self._through.write(text.encode("ascii", "backslashreplace").decode())
        execution = current.get() or self._only_one()
        if execution is not None:
            execution.print(text, self._name)
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with _ending_with_the_runner():
            self._through.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return int(self._through.fileno())

    @property
    def buffer(self) -> Any:
        """Bytes written here go to the process log only."""
        return self._through.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(self._through.encoding)

    @property
    def errors(self) -> str:  # type: ignore[override]
        return str(self._through.errors)


@contextlib.contextmanager
def _ending_with_the_runner() -> Iterator[None]:
    """Who reads what is printed is the runner. When it is gone, so are we: the author's code is not to blame, and what
    it executes is done again elsewhere."""
    try:
        yield
    except BrokenPipeError:
        os._exit(1)


def tag(only_one: Callable[[], Optional[Printing]]) -> None:
    """Put tagged streams in place of the standard ones."""
    sys.stdout = TaggedStream("stdout", sys.stdout, only_one)
    sys.stderr = TaggedStream("stderr", sys.stderr, only_one)
