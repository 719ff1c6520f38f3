"""Footprints: what processes and their children use, and which processes carry a mark of ours. Reads /proc only."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass
class Footprint:
    """What some processes hold together."""

    rss_bytes: int = 0  # pages that several of them share count several times
    tasks: int = 0  # processes and threads
    seconds: float = 0.0  # of processor time, also of children that ended and were waited for
    pids: list[int] = field(default_factory=list)

    @property
    def rss_mb(self) -> float:
        return round(self.rss_bytes / (1 << 20), 1)


@dataclass(frozen=True)
class _Stat:
    parent: int
    session: int
    seconds: float
    threads: int
    rss_bytes: int


def _stat(pid: int | str) -> _Stat | None:
    """One process; None when it is gone or a zombie."""
    fields = _fields(pid)
    if fields is None or fields[0] in (b"Z", b"X"):
        return None
    seconds = sum(map(int, fields[11:15])) / TICK
    return _Stat(int(fields[1]), int(fields[3]), seconds, int(fields[17]), int(fields[21]) * PAGE)


def _fields(pid: int | str) -> list[bytes] | None:
    """The fields of a process after its name, which may hold spaces and brackets; None when it is gone."""
    try:
        raw = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return raw[raw.rindex(b")") + 2 :].split()


def _pids() -> Iterator[str]:
    return (entry.name for entry in os.scandir(PROC) if entry.name.isdigit())


def children(parent: int) -> list[int]:
    """The children of a process, zombies too."""
    try:
        return [
            int(child)
            for task in (PROC / str(parent) / "task").iterdir()
            for child in (task / "children").read_bytes().split()
        ]
    except OSError:  # a kernel without these files, or a thread that just ended
        return [int(pid) for pid in _pids() if is_child(int(pid), parent)]


def age(pid: int) -> float:
    """Seconds since the process began; 0 when it is gone."""
    try:
        raw = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return 0.0
    began = int(raw[raw.rindex(b")") + 2 :].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def is_child(pid: int, parent: int) -> bool:
    """Whether this process is a child of that one, as far as the kernel knows."""
    fields = _fields(pid)
    return fields is not None and int(fields[1]) == parent


def descendants(pid: int) -> set[int]:
    """The children of a process, their children, and so on."""
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        fresh = set(children(ahead.pop())) - found
        found |= fresh
        ahead += fresh
    return found


def one(pid: int) -> Footprint:
    """The footprint of a single process, cheaply."""
    stat = _stat(pid)
    return Footprint(stat.rss_bytes, stat.threads, stat.seconds, [pid]) if stat else Footprint()


def trees(roots: Collection[int]) -> dict[int, Footprint]:
    """The footprint of each of these processes with all its descendants, at the price of one look at every process
    of the machine. An orphan is nobody's: the kernel hands it to the runner, or to the first of its namespace."""
    stats = {int(pid): stat for pid in _pids() if (stat := _stat(pid)) is not None}
    found = {root: Footprint() for root in roots}
    for pid, stat in stats.items():
        root, seen = pid, 0
        while root not in found and root in stats and seen < len(stats):  # numbers may be used again meanwhile
            root, seen = stats[root].parent, seen + 1
        if root in found:
            footprint = found[root]
            footprint.rss_bytes += stat.rss_bytes
            footprint.tasks += stat.threads
            footprint.seconds += stat.seconds
            footprint.pids.append(pid)
    return found


def anonymous(pid: int) -> int:
    """Bytes of a process that are in no file, those that it shares with whoever forked it too. Cheap."""
    try:
        _, resident, shared, *_ = (PROC / str(pid) / "statm").read_bytes().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE


def shared_fairly(pids: Collection[int], kinds: tuple[str, ...] = ("Pss:",)) -> int:
    """Bytes that these processes hold, each shared page divided by the number of its users. Slower, and exact. `kinds`
    are lines of the kernel's summary, such as `Pss_Anon:`."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
            total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith(kinds))
    return total


def marked(variable: str, folder: Path) -> list[int]:
    """Processes of this user whose environment says that `variable` is `folder` or lies in it: children of ours,
    whatever session or group they moved to."""
    name = f"{variable}=".encode()
    exact = os.fsencode(folder)
    found = []
    for pid in _pids():
        try:
            if (PROC / pid).stat().st_uid != os.getuid():
                continue
            variables = (PROC / pid / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        values = [item[len(name) :] for item in variables if item.startswith(name)]
        if any(value == exact or value.startswith(exact + b"/") for value in values):
            found.append(int(pid))
    return found
