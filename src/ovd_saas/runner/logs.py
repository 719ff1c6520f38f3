"""Logs: what a process printed, in files that cannot grow beyond a bound."""

import logging
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

BYTES_PER_FILE = 1 << 20  # a log is at most two files of this size: the current one and the one before
KEPT_LOGS = 400  # of ended processes, the latest ones
LONGEST_TAIL = 1 << 20  # bytes


class Log:
    """One growing log. When the file is full it becomes `….1`, and the `….1` before is dropped."""

    def __init__(self, file: Path, *, limit: int = BYTES_PER_FILE) -> None:
        self.file = file
        self._limit = limit
        self._handle: BinaryIO = file.open("ab", buffering=0)
        self._size = file.stat().st_size
        self._is_losing = False

    def append(self, data: bytes) -> None:
        """Add what came. On a full disk it is lost, and the runner's own log says so: the process goes on."""
        try:
            self._append(data)
            self._is_losing = False
        except OSError as error:
            if not self._is_losing:
                log.error("Lines of %s are lost: %s.", self.file, error)
            self._is_losing = True

    def _append(self, data: bytes) -> None:
        while data:
            room = self._limit - self._size
            if room <= 0:
                self._turn()
                continue
            written = self._handle.write(data[:room])
            self._size += written
            data = data[written:]

    def say(self, text: str) -> None:
        """A line of the runner's own among those of the process."""
        self.append(f"[runner] {text}\n".encode())

    def close(self) -> None:
        self._handle.close()

    def _turn(self) -> None:
        self._handle.close()
        self.file.replace(previous(self.file))
        self._handle = self.file.open("ab", buffering=0)
        self._size = 0


def previous(file: Path) -> Path:
    return file.with_name(f"{file.name}.1")


def tail(file: Path, lines: int) -> str:
    """The last lines of a log, at most 1 MiB; raises FileNotFoundError when there is none."""
    data = file.read_bytes()
    if data.count(b"\n") < lines and previous(file).exists():
        data = previous(file).read_bytes() + data
    text = data[-LONGEST_TAIL:].decode("utf-8", errors="replace")
    return "".join(text.splitlines(keepends=True)[-lines:])


def prune(folder: Path, keep: int = KEPT_LOGS) -> None:
    """Remove the oldest logs beyond `keep`."""
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[keep:]:
        file.unlink(missing_ok=True)
        previous(file).unlink(missing_ok=True)
