"""Disk: how much room there is where the platform keeps its data. Floor 1."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

LEAST_FREE = 2 << 30  # bytes: below it the platform cannot be trusted to go on
FEW = 0.05  # share of a disk that is little, unless it is more than ENOUGH
ENOUGH = 50 << 30  # bytes


@dataclass(frozen=True)
class Disk:
    """The disk under a folder, in bytes."""

    names: tuple[str, ...]  # what lies there: "data" | "files"
    folder: str
    total: int
    free: int

    @property
    def used(self) -> int:
        return self.total - self.free

    @property
    def share_free(self) -> float:
        return self.free / self.total if self.total else 0.0

    @property
    def is_low(self) -> bool:
        return self.free < LEAST_FREE or (self.share_free < FEW and self.free < ENOUGH)


def disks() -> list[Disk]:
    """That of the data folder, and that of the file store where it is a folder on another one."""
    data = Path(settings.HOME)
    files = files_folder()
    if files is None or not files.exists() or files.stat().st_dev == data.stat().st_dev:
        is_local = files is not None
        return [_disk(("data", "files") if is_local else ("data",), data)]
    return [_disk(("data",), data), _disk(("files",), files)]


def files_folder() -> Path | None:
    """Where the file store is; None: not on this machine."""
    parts = urlsplit(str(settings.FILES))
    if parts.scheme in ("", "file", "local"):
        return Path(parts.path)
    return None


def _disk(names: tuple[str, ...], folder: Path) -> Disk:
    found = shutil.disk_usage(folder)
    return Disk(names, str(folder), found.total, found.free)
