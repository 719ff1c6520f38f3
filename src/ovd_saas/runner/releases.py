"""Releases: what was made ready to start on this machine. A folder per release, complete or not there: its source,
read-only, and what its preparation found."""

import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ovd_saas.runner import folders

BUILDING = ".building-"
DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


@dataclass(frozen=True)
class Prepared:
    """What a preparation found."""

    environment: str  # digest
    schema: dict[str, Any]
    manifest: dict[str, Any]
    samples: list[dict[str, Any]]  # name, status, message, seconds
    seconds: float
    python: str = ""  # version of the interpreter, "3.11.9"
    environment_mb: float = 0

    def as_header(self) -> dict[str, Any]:
        return asdict(self)


class Releases:
    """The prepared releases of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clean(self) -> None:
        """Remove what an interrupted preparation left."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._folder.glob(f"{BUILDING}*"):
            folders.remove(leftover)

    def source(self, digest: str) -> Path:
        return self._of(digest) / "source"

    def find(self, digest: str) -> Prepared | None:
        """What the preparation of that release found, if it was made."""
        file = self._of(digest) / "prepared.json"
        return Prepared(**json.loads(file.read_text())) if file.exists() else None

    def begin(self) -> Path:
        """A new folder to prepare a release in."""
        building = self._folder / f"{BUILDING}{secrets.token_hex(8)}"
        building.mkdir(mode=0o700)
        return building

    def keep(self, digest: str, building: Path, prepared: Prepared) -> None:
        """From now on the release can be started."""
        (building / "prepared.json").write_text(json.dumps(prepared.as_header()))
        folders.remove(self._of(digest))  # one whose environment was lost
        building.rename(self._of(digest))

    def _of(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"{digest[:80]!r} is not the digest of a release.")
        return self._folder / digest.replace(":", "-")
