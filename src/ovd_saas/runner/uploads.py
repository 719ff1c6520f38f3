"""Uploads: an archive on its way in, chunk by chunk, into a file."""

import secrets
from pathlib import Path

LARGEST = 1 << 30  # bytes of one archive


class TooLarge(Exception):
    """The archive is over the limit; its file is gone."""


class Upload:
    """One archive that arrives."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"{secrets.token_hex(8)}.tar.gz"
        self._handle = self.file.open("xb")

    def take(self, data: bytes) -> None:
        if self._handle.tell() + len(data) > LARGEST:
            self.drop()
            raise TooLarge(f"The archive is over the limit of {LARGEST >> 20} MB. Leave data out of the folder.")
        self._handle.write(data)

    def finish(self) -> Path:
        self._handle.close()
        return self.file

    def drop(self) -> None:
        """Nobody wants it any more."""
        self._handle.close()
        self.file.unlink(missing_ok=True)
