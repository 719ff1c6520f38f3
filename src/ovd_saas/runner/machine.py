"""Machine: what this computer has, for whoever must choose one."""

import os
import platform
import socket
import sysconfig
from contextlib import suppress
from pathlib import Path

STAT = Path("/proc/stat")
CGROUP_USE = (Path("/sys/fs/cgroup/memory.current"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"))
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


def busy_seconds() -> float:
    """Seconds of work of the processors that this process may use, since the machine began to count."""
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    for line in STAT.read_text().splitlines():
        name, *counts = line.split()
        if name in ours:  # user nice system idle iowait irq softirq steal; guests are in user and nice
            ticks += sum(int(count) for index, count in enumerate(counts[:8]) if index not in (3, 4))
    return ticks / os.sysconf("SC_CLK_TCK")


def used_mb() -> int:
    """Main memory in use, without what is kept of files and could be given back; that of the control group where it
    grants less than the machine has."""
    if memory_mb() < _meminfo("MemTotal") >> 10:
        for file in CGROUP_USE:
            with suppress(OSError, ValueError):
                stat = dict(line.split() for line in file.with_name("memory.stat").read_text().splitlines())
                kept = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
                return max(int(file.read_text()) - kept, 0) >> 20
    return (_meminfo("MemTotal") - _meminfo("MemAvailable")) >> 10


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
        "busy_seconds": busy_seconds(),
        "used_mb": used_mb(),
        "python": platform.python_version(),
        "platform": sysconfig.get_platform(),
    }
