"""Archives: a tar or tar.gz from outside becomes a folder, or is refused as a whole."""

import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

MANIFEST = "ovd.toml"


class ArchiveRefused(Exception):
    """The archive is broken or would do harm; the text says where."""


@dataclass(frozen=True)
class Bounds:
    """What an unpacked release may be."""

    total_bytes: int = 2 << 30
    entries: int = 20_000
    path_length: int = 512  # characters
    depth: int = 32  # folders


def unpack(archive: Path, folder: Path, bounds: Bounds = Bounds()) -> None:
    """Fill the new `folder` from a tar.gz, read-only files. Raises ArchiveRefused; whoever called removes what is there
    by then."""
    _fill(archive, "r|gz", folder, bounds)
    _lift(folder)


def unpack_tar(archive: Path, folder: Path, bounds: Bounds) -> None:
    """The same for a tar that is not compressed, all of it as it is."""
    _fill(archive, "r|", folder, bounds)


def _fill(archive: Path, mode: Literal["r|", "r|gz"], folder: Path, bounds: Bounds) -> None:
    folder.mkdir(mode=0o700)
    try:
        with tarfile.open(archive, mode=mode) as tar:
            _unpack(tar, folder, bounds)
    except (tarfile.TarError, zlib.error, EOFError, OSError, UnicodeError, ValueError) as error:
        kind = "tar.gz" if mode == "r|gz" else "tar"
        raise ArchiveRefused(f"The archive cannot be read as {kind}: {error}") from error


def _unpack(tar: tarfile.TarFile, folder: Path, bounds: Bounds) -> None:
    total = 0
    for count, member in enumerate(tar, start=1):
        if count > bounds.entries:
            raise ArchiveRefused(f"The archive has more than {bounds.entries} entries. Leave data and caches out.")
        target = folder / _path(member, bounds)
        if member.isdir():
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        total += member.size
        if total > bounds.total_bytes:
            raise ArchiveRefused(f"The archive unpacks to more than {bounds.total_bytes >> 20} MB. Leave data out.")
        source = tar.extractfile(member)
        if source is None:
            raise ArchiveRefused(f'"{member.name}" in the archive has no content.')
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            raise ArchiveRefused(f'"{member.name}" is in the archive twice.')
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        target.chmod(0o500 if member.mode & 0o100 else 0o400)


def _path(member: tarfile.TarInfo, bounds: Bounds) -> PurePosixPath:
    name = member.name
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveRefused(f'"{name[:200]}" in the archive points outside its folder.')
    if len(name) > bounds.path_length or len(path.parts) > bounds.depth:
        raise ArchiveRefused(f'"{name[:60]}…" in the archive has too long a path.')
    if member.issym() or member.islnk():
        raise ArchiveRefused(f'"{name}" in the archive is a link; send the file itself.')
    if member.issparse() or not (member.isreg() or member.isdir()):
        raise ArchiveRefused(f'"{name}" in the archive is neither a file nor a folder.')
    return path


def _lift(folder: Path) -> None:
    """An archive made from outside its folder holds everything in one folder: take that level away."""
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and (entries[0] / MANIFEST).is_file():
        inner = folder.with_name(f"{folder.name}.inner")
        entries[0].rename(inner)
        folder.rmdir()
        inner.rename(folder)
