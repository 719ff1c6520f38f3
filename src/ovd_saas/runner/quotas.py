"""Quotas: how much a scratch folder on disk holds. One in memory has a size of its own; this is for the others."""

import os
import shutil
import stat
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

BLOCK = 512  # bytes: the unit of st_blocks, whatever the disk's own is
MOST_ENTRIES = 20_000  # files and folders; more are a breach too, as they cost the disk and each look at them
DEEPEST = 100  # folders within each other
REST = 50  # a look at the folder is followed by a pause this many times as long
LEAST_PAUSE = 1.0  # seconds
PROC = Path("/proc")
FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # no link to one


@dataclass(frozen=True)
class Held:
    """What is in a folder."""

    size: int  # bytes on disk
    entries: int
    is_whole: bool  # False: the look was given up, as there is too much, or it is too deep

    def is_within(self, limit: int) -> bool:
        return self.is_whole and self.size <= limit


def measure(folder: Path, pids: Collection[int] = ()) -> Held:
    """What is in the folder, and what these processes hold open there though it has no name any more. Follows no
    link, whatever is changed meanwhile, and leaves no folder out because it was made unreadable."""
    try:
        top = os.open(folder, os.O_RDONLY | FOLDER)
    except OSError:  # gone
        return Held(0, 0, True)
    try:
        held = _walk(top, 0)
        if held.is_whole and pids:
            held = replace(held, size=held.size + _nameless(pids, os.fstat(top).st_dev))
        return held
    finally:
        os.close(top)


def _walk(here: int, depth: int) -> Held:
    """What is in the open folder `here`."""
    size = entries = 0
    folders = []
    with os.scandir(here) as found:
        for entry in found:
            entries += 1
            if entries > MOST_ENTRIES:
                return Held(size, entries, False)
            with suppress(OSError):  # gone meanwhile
                about = entry.stat(follow_symlinks=False)
                size += about.st_blocks * BLOCK
                if stat.S_ISDIR(about.st_mode):
                    folders.append(entry.name)
    for name in folders:
        if depth == DEEPEST:
            return Held(size, entries, False)
        with suppress(OSError):
            inner = _open(name, here)
            try:
                held = _walk(inner, depth + 1)
            finally:
                os.close(inner)
            size, entries = size + held.size, entries + held.entries
            if not held.is_whole or entries > MOST_ENTRIES:
                return Held(size, entries, False)
    return Held(size, entries, True)


def _open(name: str, here: int) -> int:
    """The folder of that name, readable from now on."""
    try:
        return os.open(name, os.O_RDONLY | FOLDER, dir_fd=here)
    except PermissionError:
        path = os.open(name, os.O_PATH | FOLDER, dir_fd=here)
        try:
            os.chmod(f"/proc/self/fd/{path}", 0o700)  # noqa: PTH101 - that folder, and no other in its place
        finally:
            os.close(path)
        return os.open(name, os.O_RDONLY | FOLDER, dir_fd=here)


def _nameless(pids: Collection[int], device: int) -> int:
    """Bytes of removed files that these processes hold open on this disk."""
    seen: dict[int, int] = {}
    for pid in pids:
        with suppress(OSError):
            for entry in (PROC / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    found = entry.stat()
                    if found.st_nlink == 0 and found.st_dev == device and stat.S_ISREG(found.st_mode):
                        seen[found.st_ino] = found.st_blocks * BLOCK
    return sum(seen.values())


class Quota:
    """Knows when to look at a folder: after a while, and sooner when its disk fills."""

    def __init__(self, folder: Path, limit_mb: int) -> None:
        self._folder = folder
        self._limit = limit_mb << 20
        self._last = Held(0, 0, True)
        self._free = self._free_now()
        self._next_at = 0.0  # time.monotonic()

    def is_due(self) -> bool:
        """Cheap; ask often."""
        used = self._free - self._free_now()
        return time.monotonic() >= self._next_at or used > (self._limit - self._last.size) / 2

    def is_breached(self, pids: Callable[[], Collection[int]]) -> bool:
        """Look. For a thread: it may take a while. `pids` are those who may hold removed files open."""
        began = time.monotonic()
        self._free = self._free_now()
        self._last = measure(self._folder, pids())
        took = time.monotonic() - began
        self._next_at = began + took + max(LEAST_PAUSE, REST * took)
        return not self._last.is_within(self._limit)

    def _free_now(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return 0
