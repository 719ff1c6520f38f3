"""Uploads: an archive on its way in, chunk by chunk, into a file."""

import hashlib
import secrets
from pathlib import Path

LARGEST = 1 << 30  # bytes of the archive of a release
LARGEST_MODEL = 8 << 30  # bytes of the tar of a model


class TooLarge(Exception):
    """The archive is over the limit; its file is gone."""


class Upload:
    """One archive that arrives."""

    def __init__(self, folder: Path, *, largest: int = LARGEST) -> None:
        self.file = folder / f"{secrets.token_hex(8)}.archive"
        self._largest = largest
        self._hash = hashlib.sha256()
        self._handle = self.file.open("xb")

    @property
    def digest(self) -> str:
        """Of what has arrived so far."""
        return "sha256:" + self._hash.hexdigest()

    def take(self, data: bytes) -> None:
        if self._handle.tell() + len(data) > self._largest:
            self.drop()
            raise TooLarge(f"The archive is over the limit of {self._largest >> 20} MB. Leave data out of the folder.")
        self._hash.update(data)
        self._handle.write(data)

    def finish(self) -> Path:
        self._handle.close()
        return self.file

    def drop(self) -> None:
        """Nobody wants it any more."""
        self._handle.close()
        self.file.unlink(missing_ok=True)
