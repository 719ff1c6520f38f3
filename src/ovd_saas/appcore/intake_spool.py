"""Intake, the disk: bytes that are kept until they are looked at, and whether there is room for more. Floor 2."""

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from ovd_saas.appcore.refusals import Refusal

RESERVE = 256 << 20  # bytes of disk that a delivery leaves free
_LOOK_EVERY = 64 << 20  # bytes after which the free space is looked at again
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TooLarge(Refusal):
    """It is over a limit."""

    code = "too_large"
    http = 413


class DiskFull(Refusal):
    """There is no room for it; nothing was stored."""

    code = "insufficient_storage"
    http = 507


def largest() -> int:
    """Bytes of the largest delivery: the setting `INTAKE_LARGEST`."""
    return int(settings.INTAKE_LARGEST)


class Spool:
    """Bytes that are looked at when all of them are there: a file without a name, gone when it is closed."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most if most is not None else largest()
        self._hash = hashlib.sha256()
        self._room = Room()
        folder = Path(settings.HOME) / "incoming"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file: BinaryIO = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """Raises TooLarge, DiskFull."""
        self.size += len(chunk)
        if self.size > self._most:
            raise TooLarge(
                f"It has more than {self._most >> 20} MiB, which is the most here. Send several smaller ones."
            )
        self._room.take(len(chunk))
        self._hash.update(chunk)
        with full_disk():
            view = memoryview(chunk)
            while view:
                view = view[self.file.write(view) :]

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


class Room:
    """How much was written, and whether the disk has room for more."""

    def __init__(self) -> None:
        self._size = 0
        self._looked_at = -_LOOK_EVERY
        self._most = largest()

    def take(self, size: int) -> None:
        """Raises TooLarge, DiskFull."""
        self._size += size
        if self._size > self._most:
            raise TooLarge(
                f"It has more than {self._most >> 20} MiB, which is the most here. Send several smaller ones."
            )
        if self._size - self._looked_at >= _LOOK_EVERY:
            check_room(_LOOK_EVERY)
            self._looked_at = self._size


def check_room(size: int) -> None:
    """Raises DiskFull when so many bytes more would leave too little for the platform to go on."""
    free = shutil.disk_usage(settings.HOME).free
    if free - size < RESERVE:
        raise DiskFull(_NO_ROOM)


@contextmanager
def full_disk() -> Iterator[None]:
    """Inside, a disk that is full is refused in words: DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(_NO_ROOM) from None


_NO_ROOM = "The platform's disk is full; nothing was stored. Tell its operators, and send it again later."
