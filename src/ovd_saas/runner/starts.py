"""Starts: how processes come to life. Our own programs are spawned; applications are forked (`templates.py`)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ovd_saas.runner import sandbox


@dataclass(frozen=True)
class Order:
    """A process that somebody wants."""

    arguments: list[str]  # program first
    variables: dict[str, str]  # the whole environment
    folder: Path  # where it starts
    limits: sandbox.Limits
    umask: int = 0o077


class Born(Protocol):
    """A process just started: it leads its own session, and ends when the runner does."""

    pid: int
    pidfd: int  # readable when the process has ended
    stdout: int  # reading ends of its pipes, non-blocking
    stderr: int

    def reap(self) -> tuple[int, int]:
        """Wait status, and the most memory it held at once (bytes). Only after the end; frees its number."""


class Spawned:
    """A process started by fork and exec."""

    def __init__(self, process: "subprocess.Popen[bytes]", stdout: int, stderr: int) -> None:
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)
        self.stdout, self.stderr = stdout, stderr
        self._process = process

    def reap(self) -> tuple[int, int]:
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it once more
        return status, usage.ru_maxrss * 1024


class Forked:
    """A process that a template forked and left to us, or that we forked ourselves."""

    def __init__(self, pid: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.stdout, self.stderr = stdout, stderr

    def reap(self) -> tuple[int, int]:
        _, status, usage = os.wait4(self.pid, 0)
        return status, usage.ru_maxrss * 1024


class Pipes:
    """The output of a child to be. The reading ends do not block."""

    def __init__(self) -> None:
        self._out, self.out_writer = os.pipe2(os.O_CLOEXEC)
        self._err, self.err_writer = os.pipe2(os.O_CLOEXEC)
        self._is_kept = False
        for reader in (self._out, self._err):
            os.set_blocking(reader, False)

    def keep(self) -> tuple[int, int]:
        """The reading ends, which are the caller's from now on."""
        self._is_kept = True
        return self._out, self._err

    def close(self) -> None:
        for descriptor in (self.out_writer, self.err_writer, *(() if self._is_kept else (self._out, self._err))):
            os.close(descriptor)


@contextmanager
def pipes() -> Iterator[Pipes]:
    """Pipes whose writing ends are closed here at the end: the child has its own."""
    made = Pipes()
    try:
        yield made
    finally:
        made.close()


class Spawn:
    """Fork and exec. Call it from the main thread only: the kernel ends the child with the thread that forked it."""

    def start(self, order: Order) -> Spawned:
        """Raises OSError when the program cannot be executed."""
        with pipes() as made:
            process = subprocess.Popen(
                order.arguments,
                stdin=subprocess.DEVNULL,
                stdout=made.out_writer,
                stderr=made.err_writer,
                cwd=order.folder,
                env=order.variables,
                start_new_session=True,
                umask=order.umask,
                preexec_fn=sandbox.entrance(
                    order.limits
                ),  # no thread of the runner's holds a lock between fork and exec
            )
            return Spawned(process, *made.keep())
