"""Release archives: what a release's source holds, its texts, and the same source with another manifest. Floor 2.

Archives are of strangers and may be large: they are read as a stream, in bounds, and nothing lands on a disk. They
never change, so what was found in the latest ones is kept in memory.
"""

import gzip
import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

from ovd.manifest import FILE, ManifestError, read
from ovd.problems import Problem
from ovd.tars import Entry
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.files import Missing
from ovd_saas.files import store as files

MANIFEST = FILE
MOST_FILES = 20_000  # as at the runner
LARGEST_UNPACKED = 2 << 30  # bytes, likewise
LARGEST_TEXT = 200_000  # bytes that are shown or compared of one file
CHUNK = 1 << 18  # bytes
KEPT = 64  # archives whose contents are remembered
_HEAD = 8192  # bytes that tell a text from other files


class Unreadable(Refusal):
    """The archive cannot be read (any more)."""

    code = "unreadable_archive"
    http = 422


@dataclass(frozen=True)
class File:
    """One file of a release."""

    path: str
    size: int  # bytes
    digest: str  # hex SHA-256 of its bytes
    is_text: bool

    @property
    def is_shown(self) -> bool:
        return self.is_text and self.size <= LARGEST_TEXT


@lru_cache(maxsize=KEPT)
def contents(digest: str) -> tuple[File, ...]:
    """Every file, by path. Raises Unreadable."""
    found = []
    with _Reading(digest) as tar:
        for member, opened in tar.files():
            seen, head = hashlib.sha256(), b""
            while chunk := opened.read(CHUNK):
                head = head or chunk[:_HEAD]
                seen.update(chunk)
            found.append(File(_path(member), member.size, seen.hexdigest(), is_text(head)))
    return tuple(sorted(found, key=lambda file: file.path))


def texts(digest: str, paths: Collection[str]) -> dict[str, str]:
    """The files of these paths that are texts of a bearable size. Raises Unreadable."""
    found: dict[str, str] = {}
    if not paths:
        return found
    with _Reading(digest) as tar:
        for member, opened in tar.files():
            if _path(member) in paths and member.size <= LARGEST_TEXT:
                data = opened.read()
                if is_text(data[:_HEAD]):
                    found[_path(member)] = data.decode("utf-8", errors="replace").replace("\x00", "\ufffd")
                if len(found) == len(paths):
                    break
    return found


def text(digest: str, path: str) -> str | None:
    """One of them; None when it is not there, too large, or no text."""
    return texts(digest, [path]).get(path)


def problems(digest: str, manifest: str) -> list[Problem]:
    """What `ovd check` would say of this manifest in the folder of that release. Raises Unreadable."""
    paths = {file.path for file in contents(digest)}
    try:
        read(manifest, lambda name: name in paths)
    except ManifestError as error:
        return error.problems
    return []


def with_manifest(digest: str, manifest: str) -> tuple[str, int]:
    """Digest and size of a new archive in the file store: the same files, and this manifest. Raises Unreadable."""
    data = manifest.encode()
    with tempfile.TemporaryFile() as packed:
        with (
            gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as squeezed,
            tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as target,
            _Reading(digest) as tar,
        ):
            for member, opened in tar.files():
                entry = tarfile.TarInfo(_path(member))
                entry.mode = 0o755 if member.mode & 0o100 else 0o644
                is_manifest = entry.name == MANIFEST
                entry.size = len(data) if is_manifest else member.size
                target.addfile(entry, io.BytesIO(data) if is_manifest else opened)
        packed.seek(0)
        return files.put_stream(iter(lambda: packed.read(CHUNK), b""))


def is_text(head: bytes) -> bool:
    """Whether bytes that begin like this are text in UTF-8; a letter may be cut at the end."""
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 4
    return True


class _Reading:
    """An archive from the file store, open for one pass."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def __enter__(self) -> "_Reading":
        try:
            self._stored = files.open(self._digest)
        except Missing:
            raise Unreadable("The source of this release is no longer stored.") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._stored.close()

    def files(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        """Each ordinary file with its bytes."""
        total = 0
        try:
            with tarfile.open(fileobj=self._stored, mode="r|gz", tarinfo=Entry) as tar:
                for count, member in enumerate(tar, start=1):
                    tar.members = []  # type: ignore[attr-defined]  # the library remembers every entry
                    total += member.size
                    if count > MOST_FILES or total > LARGEST_UNPACKED:
                        raise Unreadable("The source of this release is too large to be shown.")
                    opened = tar.extractfile(member) if member.isfile() else None
                    if opened is not None:
                        yield member, opened
        except (tarfile.TarError, zlib.error, EOFError, OSError, RecursionError):
            raise Unreadable("The source of this release is not a readable tar.gz.") from None


def _path(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")
