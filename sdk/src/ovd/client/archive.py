"""Archive: a folder as a tar.gz whose bytes depend on names, bytes and modes of its files only."""

import fnmatch
import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ovd.client.errors import OvdError

NEVER_SENT = (  # what no application needs, and what should not leave the laptop
    ".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", "venv", ".env", ".env.*", "node_modules",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", ".tox", ".nox",
    "*.egg-info", ".idea", ".vscode", ".DS_Store", "Thumbs.db", "*.swp", "*~",
)  # fmt: skip
IGNORE_FILE = ".ovdignore"


def left_out(folder: Path) -> "list[str]":
    """The patterns of files that stay here: NEVER_SENT and the lines of `.ovdignore`."""
    file = folder / IGNORE_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    own = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [*NEVER_SENT, *own]


def is_left_out(path: str, patterns: "list[str]") -> bool:
    """Whether `path` (relative, with /) matches: patterns with a / from the folder's root, others by name."""
    name = path.rsplit("/", 1)[-1]
    for pattern in patterns:
        bare = pattern.rstrip("/")
        if fnmatch.fnmatchcase(path if "/" in bare else name, bare.lstrip("/")):
            return True
    return False


def files_of(folder: Path) -> "Iterator[tuple[str, Path]]":
    """Each file that is sent, as (path in the archive, path here), in the order of the names."""
    patterns = left_out(folder)
    yield from sorted(_walk(folder, "", patterns))


def _walk(folder: Path, prefix: str, patterns: "list[str]") -> "Iterator[tuple[str, Path]]":
    for entry in os.scandir(folder):
        path = prefix + entry.name
        if is_left_out(path, patterns):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), path + "/", patterns)
        elif entry.is_file():
            yield path, Path(entry.path)
        else:
            raise OvdError(
                f"{path} is neither a file nor a folder (a link to a folder, or a broken one?) and cannot be "
                f"sent. Copy what it means to here, or name it in {IGNORE_FILE}."
            )


def write(folder: Path, target: "IO[bytes]") -> int:
    """Write the archive of `folder` to `target`; returns the number of files. Links to files become files."""
    count = 0
    with (
        gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, file in files_of(folder):
            entry = tarfile.TarInfo(path)
            entry.size = file.stat().st_size
            entry.mode = 0o755 if os.access(file, os.X_OK) else 0o644
            with file.open("rb") as content:
                archive.addfile(entry, content)
            count += 1
    return count


def pack(folder: Path) -> bytes:
    """The archive of `folder` in memory."""
    target = io.BytesIO()
    write(folder, target)
    return target.getvalue()
