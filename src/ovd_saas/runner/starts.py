"""Starts: ways to bring a process to life. `Spawn` executes a program; a template that forks can take its place."""

import os
import subprocess
from dataclasses import dataclass, field
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
    inherited: tuple[int, ...] = field(default=())  # descriptors that it keeps, under the same numbers


class Born(Protocol):
    """A process just started: it leads its own session, and ends when the runner does."""

    pid: int
    pidfd: int  # readable when the process has ended
    stdout: int  # reading ends of its pipes, non-blocking
    stderr: int

    def reap(self) -> tuple[int, int]:
        """Wait status, and the most memory it held at once (bytes). Only after the end; frees its number."""


class Start(Protocol):
    """A way to start processes. Raises OSError when the program cannot be executed."""

    def start(self, order: Order) -> Born: ...


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


class Spawn:
    """Fork and exec. Call it from the main thread only: the kernel ends the child with the thread that forked it."""

    def start(self, order: Order) -> Spawned:
        out_reader, out_writer = os.pipe2(os.O_CLOEXEC)
        err_reader, err_writer = os.pipe2(os.O_CLOEXEC)
        try:
            process = subprocess.Popen(
                order.arguments,
                stdin=subprocess.DEVNULL,
                stdout=out_writer,
                stderr=err_writer,
                cwd=order.folder,
                env=order.variables,
                pass_fds=order.inherited,
                start_new_session=True,
                umask=0o077,
                preexec_fn=sandbox.entrance(order.limits),  # the runner has one thread: safe between fork and exec
            )
        except BaseException:
            os.close(out_reader)
            os.close(err_reader)
            raise
        finally:
            os.close(out_writer)
            os.close(err_writer)
        for reader in (out_reader, err_reader):
            os.set_blocking(reader, False)
        return Spawned(process, out_reader, err_reader)
