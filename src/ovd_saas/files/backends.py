"""Backends: where the bytes lie, a local folder or anything that fsspec reaches. Floor 1."""

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import fsspec

TOUCH_AFTER = timedelta(minutes=15)  # what is older is written again when it is wanted again


class Backend(Protocol):
    """Keys are hex digests; `adopt` is atomic: afterwards the whole content is there, durably, or nothing is.

    `remove_untouched` removes what nobody adopted since a moment; False when somebody did.
    """

    scratch: Path  # a folder of this machine for files that are being written

    def adopt(self, key: str, source: Path) -> None: ...
    def open(self, key: str) -> BinaryIO: ...
    def size(self, key: str) -> int: ...
    def path(self, key: str) -> Path | None: ...
    def remove(self, key: str) -> None: ...
    def remove_untouched(self, key: str, since: datetime) -> bool: ...


class Folder:
    """A local folder: fsync, then rename, then fsync of the folder that holds the name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scratch = root / "incoming"
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)

    def adopt(self, key: str, source: Path) -> None:
        target = self._target(key)
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            sync(self.root)
        try:
            os.utime(target)  # it is wanted again: see remove_untouched
            source.unlink()
        except FileNotFoundError:
            sync(source)
            source.rename(target)
        sync(target.parent)  # also when somebody else was faster: their rename may not be on disk yet

    def open(self, key: str) -> BinaryIO:
        return self._target(key).open("rb")

    def size(self, key: str) -> int:
        return self._target(key).stat().st_size

    def path(self, key: str) -> Path | None:
        target = self._target(key)
        return target if target.exists() else None

    def remove(self, key: str) -> None:
        self._target(key).unlink(missing_ok=True)

    def remove_untouched(self, key: str, since: datetime) -> bool:
        """Out of the way first, then looked at again: whoever adopts meanwhile either touched it or has put it anew."""
        target, aside = self._target(key), fresh(self.scratch)
        try:
            if target.stat().st_mtime >= since.timestamp():
                return False
            target.rename(aside)
        except FileNotFoundError:
            return True
        if aside.stat().st_mtime >= since.timestamp():
            aside.rename(target)
            return False
        aside.unlink()
        sync(target.parent)
        return True

    def _target(self, key: str) -> Path:
        return self.root / key[:2] / key[2:]


class Remote:
    """Anything that fsspec reaches: S3 and others write an object as a whole or not at all."""

    def __init__(self, address: str, scratch: Path) -> None:
        self._files: Any
        self._files, self._root = fsspec.core.url_to_fs(address)
        self.scratch = scratch
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)

    def adopt(self, key: str, source: Path) -> None:
        target = self._target(key)
        if not self._is_newer(target, datetime.now(UTC) - TOUCH_AFTER):
            self._files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            self._files.put_file(str(source), target)
            self._files.invalidate_cache(target.rsplit("/", 1)[0])
        source.unlink()

    def open(self, key: str) -> BinaryIO:
        return cast(BinaryIO, self._files.open(self._target(key), "rb"))

    def size(self, key: str) -> int:
        return int(self._files.size(self._target(key)))

    def path(self, key: str) -> Path | None:
        return None

    def remove(self, key: str) -> None:
        if self._files.exists(self._target(key)):
            self._files.rm_file(self._target(key))

    def remove_untouched(self, key: str, since: datetime) -> bool:
        target = self._target(key)
        if self._is_newer(target, since):
            return False
        self.remove(key)
        return True

    def _is_newer(self, target: str, moment: datetime) -> bool:
        """Whether it is there, and was written since then; a service that cannot tell is written to again."""
        self._files.invalidate_cache(target.rsplit("/", 1)[0])
        try:
            modified: datetime = self._files.modified(target)
        except (FileNotFoundError, NotImplementedError):
            return False
        return (modified if modified.tzinfo else modified.replace(tzinfo=UTC)) >= moment

    def _target(self, key: str) -> str:
        return f"{self._root}/{key[:2]}/{key[2:]}"


def backend(address: str, scratch: Path) -> Backend:
    """The backend of an address: a path, `file://…`, or any other fsspec address (`s3://…`, `memory://…`)."""
    if address.startswith("file://"):
        address = address.removeprefix("file://")
    return Remote(address.rstrip("/"), scratch) if "://" in address else Folder(Path(address))


def sync(path: Path) -> None:
    """Afterwards this file's content, or this folder's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fresh(folder: Path) -> Path:
    return folder / uuid.uuid4().hex
