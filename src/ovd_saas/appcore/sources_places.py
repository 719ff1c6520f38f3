"""Places that sources lie at: a folder of this machine, or anything that fsspec reaches. Floor 2; knows no rows."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

_UNFINISHED = (".part", ".tmp", ".crdownload", ".partial")


@dataclass(frozen=True)
class Found:
    """A file that lies there."""

    path: str  # from the place, with /
    version: str  # another one when the file was changed


class Place(Protocol):
    """`files` may raise OSError, `open` too; of places beyond this machine anything."""

    def files(self) -> Iterator[Found]: ...
    def open(self, path: str) -> BinaryIO: ...


def is_meant(path: str, pattern: str) -> bool:
    """Whether a file is pulled: its name fits the pattern, and nothing in its path is hidden or unfinished."""
    parts = path.split("/")
    is_hidden = any(part.startswith(".") for part in parts)
    return not is_hidden and not parts[-1].endswith(_UNFINISHED) and fnmatch.fnmatchcase(parts[-1], pattern)


class Folder:
    """A folder of this machine, or one file. Links are not followed, not even by another path than was listed."""

    def __init__(self, root: Path, pattern: str) -> None:
        self._root = root
        self._pattern = pattern

    def files(self) -> Iterator[Found]:
        if not self._root.is_dir():
            about = self._root.lstat()
            if stat.S_ISREG(about.st_mode):
                yield Found(self._root.name, _version(about))
            return
        os.scandir(self._root).close()  # raises what os.fwalk would keep to itself
        for folder, folders, names, descriptor in os.fwalk(self._root, follow_symlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = os.path.relpath(Path(folder) / name, self._root)
                if not is_meant(path, self._pattern):
                    continue
                about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISREG(about.st_mode):
                    yield Found(path, _version(about))

    def open(self, path: str) -> BinaryIO:
        root = self._root if self._root.is_dir() else self._root.parent
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            *folders, name = path.split("/")
            for part in folders:
                deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = deeper
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(f"{path} is no ordinary file")
        return os.fdopen(file, "rb")


def _version(about: os.stat_result) -> str:
    return f"{about.st_size}-{about.st_mtime_ns}"


class Remote:
    """Anything that fsspec reaches."""

    def __init__(self, address: str, pattern: str) -> None:
        import fsspec

        self._files: Any
        self._files, self._root = fsspec.core.url_to_fs(address)
        self._pattern = pattern

    def files(self) -> Iterator[Found]:
        self._files.invalidate_cache()
        if not self._files.exists(self._root):
            raise FileNotFoundError("there is nothing at this address")
        root = self._root.rstrip("/")
        for full, about in sorted(self._files.find(self._root, detail=True).items()):
            path = full.removeprefix(root).lstrip("/") or full.rsplit("/", 1)[-1]
            if is_meant(path, self._pattern):
                yield Found(path, _version_of(about))

    def open(self, path: str) -> BinaryIO:
        root = self._root.rstrip("/")
        full = root if self._files.isfile(root) else f"{root}/{path}"
        opened: BinaryIO = self._files.open(full, "rb")
        return opened


def _version_of(about: dict[str, Any]) -> str:
    tag = about.get("ETag") or about.get("etag") or about.get("md5Hash")
    moment = about.get("mtime") or about.get("LastModified") or about.get("last_modified") or about.get("created")
    return str(tag or f"{about.get('size')}-{moment}")[:200]
