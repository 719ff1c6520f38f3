"""Reasons: why a wall does not stand on this machine, and what would change that, for a person."""

import errno
import os
from typing import Optional

SMALLER_PROC = (
    "This machine does not let us mount /proc (a container hides parts of its own). Applications see a smaller one, "
    "with facts about the machine and no processes."
)
CONTAINER = (
    "If this is a container, allow it to make namespaces and mounts "
    "(Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined, and as root --cap-add SYS_ADMIN)."
)


def of_landlock(abi: int) -> str:
    """What an older version of it lacks; empty when nothing."""
    lacks = [what for since, what in ((4, "TCP"), (6, "signals and abstract sockets")) if abi < since]
    if not lacks:
        return ""
    return f"Version {abi} of this kernel bounds files, but not {' and '.join(lacks)} (Linux 6.12 or newer does)."


def explain(wall: str, error: OSError) -> str:
    """One or two sentences: what the kernel said, and the cure if we know it."""
    said = str(error.strerror or error).rstrip(".")
    cure = _cure(wall, error.errno)
    return f"{said}. {cure}".strip()


def _cure(wall: str, number: Optional[int]) -> str:
    if wall == "landlock":
        return "Landlock needs Linux 5.13 or newer with lsm=…,landlock among the kernel's parameters."
    if wall == "seccomp":
        return "It needs a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64."
    if wall not in ("user", "files", "processes", "network", "ipc"):
        return ""
    if _setting("user/max_user_namespaces") == "0":
        return "Set it with `sysctl -w user.max_user_namespaces=10000`."
    if os.geteuid() != 0 and _setting("kernel/unprivileged_userns_clone") == "0":
        return "Set it with `sysctl -w kernel.unprivileged_userns_clone=1`."
    if os.geteuid() != 0 and _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "Set it with `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`."
    if number == errno.ENOSYS:
        return "It needs Linux 5.12 or newer."
    return CONTAINER


def _setting(name: str) -> str:
    try:
        with open(f"/proc/sys/{name}") as file:
            return file.read().strip()
    except OSError:
        return ""
