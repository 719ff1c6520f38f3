"""Files: bytes by their digest. Floor 1: knows no records.

A digest is `sha256:` and 64 hex digits. What was committed under a digest never changes.
"""

from dataclasses import dataclass


class Missing(LookupError):
    """No bytes are stored under this digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"The file store has nothing under {digest}.")
        self.digest = digest


@dataclass(frozen=True)
class Stored:
    """Bytes that are safe on disk."""

    digest: str  # "sha256:" + hex
    size: int  # bytes
