"""Machine: what this computer has, for whoever must choose one."""

import os
import platform
import socket
import sysconfig
from pathlib import Path

CGROUP_MEMORY = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_mb() -> int:
    """Main memory, or less when a control group grants less."""
    total = _meminfo("MemTotal") * 1024
    for file in CGROUP_MEMORY:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total >> 20


def _meminfo(key: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == key:
            return int(rest.split()[0])
    raise LookupError(f"/proc/meminfo has no {key}.")


def graphics_cards() -> tuple[str, ...]:
    """The device files of the machine's graphics cards."""
    patterns = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm*", "nvidia-modeset", "nvidia-caps/*", "dri/renderD*", "kfd")
    return tuple(sorted(str(path) for pattern in patterns for path in Path("/dev").glob(pattern)))


def facts() -> dict[str, object]:
    """Name, processors, memory, load, Python and platform."""
    return {
        "name": socket.gethostname(),
        "cpus": cpus(),
        "memory_mb": memory_mb(),
        "memory_available_mb": _meminfo("MemAvailable") >> 10,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "platform": sysconfig.get_platform(),
    }
