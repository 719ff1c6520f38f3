"""Strays: processes that lost whoever started them, and hid where they come from. The kernel hands them to the runner,
which ends them: nobody else could."""

import ctypes
import os
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from ovd_saas.runner import footprints, sandbox

_PR_SET_CHILD_SUBREAPER = 36


_adopting: list[int] = []  # the process that asked for orphans; its forks did not


def adopt() -> None:
    """From now on, orphans among the descendants of this process become its children."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _adopting.append(os.getpid())


YOUNG = 2.0  # seconds: a template's child that nobody has announced yet is no stray


def end(known: Collection[int], marks: Iterable[Path]) -> None:
    """Kill adopted children, less those that carry one of these marks: who owns the mark ends them. What a killed one
    leaves behind is adopted in its turn; look again. Nothing happens in a process that adopts none."""
    if os.getpid() not in _adopting:
        return
    marked: set[int] = set()
    strays = [pid for pid in footprints.children(os.getpid()) if pid not in known and footprints.age(pid) > YOUNG]
    if strays:
        marked.update(pid for mark in marks for pid in footprints.marked(sandbox.MARK, mark))
    for pid in strays:
        with suppress(ProcessLookupError, ChildProcessError):
            if pid not in marked:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
