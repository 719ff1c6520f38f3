"""Sandbox: the walls around one process, put up in the child between fork and exec. docs/explanation/runner.md says
which wall stands against what."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MB = 1 << 20
HEADROOM_MB = 1024  # writable address space that a process may reserve beyond the memory it may use
OPEN_FILES = 4096
USER_TASKS = 4096  # RLIMIT_NPROC counts all of a user's processes and does not bind root: a last resort
PREFERRED_VICTIM = b"500"  # when the machine runs out of memory, applications go before the platform

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


def variables(*, scratch: Path, path: list[Path], python_path: list[Path], cpus: float) -> dict[str, str]:
    """The environment variables of an application process: these and no others."""
    threads = str(max(1, round(cpus)))
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
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
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
        with suppress(OSError):  # some containers mount /proc read-only; this one is a preference, not a wall
            Path("/proc/self/oom_score_adj").write_bytes(PREFERRED_VICTIM)

    return enter


def _at_most(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))
