"""Footprints: what the processes of one session use, and which processes carry a mark of ours. Reads /proc only."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
PROC = Path("/proc")


@dataclass
class Footprint:
    """What all processes of one session hold together."""

    rss_bytes: int = 0  # pages that several of them share count several times
    tasks: int = 0  # processes and threads
    pids: list[int] = field(default_factory=list)

    @property
    def rss_mb(self) -> float:
        return round(self.rss_bytes / (1 << 20), 1)


def _stat(pid: int | str) -> tuple[int, int, int] | None:
    """Session, number of threads and resident bytes of one process; None when it is gone or a zombie."""
    try:
        raw = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = raw[raw.rindex(b")") + 2 :].split()  # the name before it may hold spaces and brackets
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[3]), int(fields[17]), int(fields[21]) * PAGE


def _pids() -> Iterator[str]:
    return (entry.name for entry in os.scandir(PROC) if entry.name.isdigit())


def children(parent: int) -> list[int]:
    """The children of a process, zombies too."""
    found = []
    for pid in _pids():
        try:
            raw = (PROC / pid / "stat").read_bytes()
        except OSError:
            continue
        if int(raw[raw.rindex(b")") + 2 :].split()[1]) == parent:
            found.append(int(pid))
    return found


def one(pid: int) -> Footprint:
    """The footprint of a single process, cheaply."""
    stat = _stat(pid)
    return Footprint(stat[2], stat[1], [pid]) if stat else Footprint()


def by_session() -> dict[int, Footprint]:
    """The footprints of all sessions on this machine, by the process id of the session's leader."""
    sessions: dict[int, Footprint] = {}
    for pid in _pids():
        stat = _stat(pid)
        if stat is None:
            continue
        session, tasks, rss = stat
        footprint = sessions.setdefault(session, Footprint())
        footprint.rss_bytes += rss
        footprint.tasks += tasks
        footprint.pids.append(int(pid))
    return sessions


def shared_fairly(pids: list[int]) -> int:
    """Bytes that these processes hold, each shared page divided by the number of its users. Slower, and exact."""
    total = 0
    for pid in pids:
        try:
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
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
