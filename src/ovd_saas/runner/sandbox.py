"""Sandbox: the variables and limits of processes, and what stands around programs of our own, such as the one that
unpacks. The walls around applications are `ovd.walls`."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ovd.walls.limits import go_first

MB = 1 << 20
HEADROOM_MB = 1024  # writable address space that a process may reserve beyond the memory it may use
OPEN_FILES = 4096
USER_TASKS = 4096  # RLIMIT_NPROC counts all of a user's processes and does not bind root: a last resort

MARK = "OVD_SCRATCH"  # names the process's scratch folder, and marks its children as ours

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True)
class Limits:
    """What one process and its children may use."""

    memory_mb: int = 512  # together, pages that they share counted once
    cpus: float = 1  # threads of numerical libraries
    disk_mb: int = 256  # longest file it may write
    tasks: int = 512  # processes and threads, together
    gpus: float = 0  # above 0 it sees the graphics cards of the machine


def threads(cpus: float) -> int:
    """How many threads of numerical libraries go with so many processors."""
    return max(1, round(cpus))


def variables(*, scratch: Path | str, path: list[Path], python_path: list[Path], cpus: float) -> dict[str, str]:
    """The environment variables of an application process: these and no others."""
    count = str(threads(cpus))
    return {
        "PATH": os.pathsep.join([*map(str, path), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        MARK: str(scratch),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": os.pathsep.join(map(str, python_path)),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NUMEXPR_NUM_THREADS": count,
    }


def entrance(limits: Limits) -> Callable[[], None]:
    """What the child calls between fork and exec. It must already lead a session of its own."""
    parent = os.getpid()

    def enter() -> None:
        if _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(127)  # nobody would end us when the runner ends
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            os._exit(127)
        _at_most(resource.RLIMIT_CORE, 0)
        _at_most(resource.RLIMIT_DATA, (limits.memory_mb + HEADROOM_MB) * MB)
        _at_most(resource.RLIMIT_FSIZE, limits.disk_mb * MB)
        _at_most(resource.RLIMIT_NOFILE, OPEN_FILES)
        _at_most(resource.RLIMIT_NPROC, USER_TASKS)
        go_first()

    return enter


def _at_most(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))
