"""Archives: a tar or tar.gz from outside becomes a folder, or is refused as a whole."""

import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from ovd.tars import Entry

MANIFEST = "ovd.toml"
LONGEST_SHOWN = 100  # characters of a name in a message


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
        with tarfile.open(archive, mode=mode, tarinfo=Entry) as tar:
            _unpack(tar, folder, bounds)
    except (tarfile.TarError, zlib.error, EOFError, OSError, UnicodeError, ValueError, RecursionError) as error:
        kind = "tar.gz" if mode == "r|gz" else "tar"
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ArchiveRefused(f"The archive cannot be read as {kind}: {_plain(why)}") from error


def _unpack(tar: tarfile.TarFile, folder: Path, bounds: Bounds) -> None:
    total = 0
    for count, member in enumerate(tar, start=1):
        if count > bounds.entries:
            raise ArchiveRefused(f"The archive has more than {bounds.entries} entries. Leave data and caches out.")
        tar.members = []  # type: ignore[attr-defined]  # the library remembers every entry
        target = folder / _path(member, bounds)
        if member.isdir():
            _make_folder(target, member)
            continue
        total += member.size
        if total > bounds.total_bytes:
            raise ArchiveRefused(f"The archive unpacks to more than {bounds.total_bytes >> 20} MB. Leave data out.")
        source = tar.extractfile(member)
        if source is None:
            raise ArchiveRefused(f"{_shown(member.name)} in the archive has no content.")
        _make_folder(target.parent, member)
        if target.exists():
            raise ArchiveRefused(f"{_shown(member.name)} is in the archive twice.")
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            if file.tell() != member.size:
                raise ArchiveRefused(f"{_shown(member.name)} in the archive ends too early.")
        target.chmod(0o500 if member.mode & 0o100 else 0o400)


def _path(member: tarfile.TarInfo, bounds: Bounds) -> PurePosixPath:
    name = member.name
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveRefused(f"{_shown(name)} in the archive points outside its folder.")
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if len(name) > bounds.path_length or len(path.parts) > bounds.depth or longest > 255:
        raise ArchiveRefused(f"{_shown(name)} in the archive has too long a path.")
    if not name.isprintable():
        raise ArchiveRefused(f"{_shown(name)} in the archive has a name with characters that cannot be shown.")
    if member.issym() or member.islnk():
        raise ArchiveRefused(f"{_shown(name)} in the archive is a link; send the file itself.")
    if member.issparse() or not (member.isreg() or member.isdir()):
        raise ArchiveRefused(f"{_shown(name)} in the archive is neither a file nor a folder.")
    if member.isreg() and path in (PurePosixPath("."), PurePosixPath("/")):
        raise ArchiveRefused("A file in the archive has no name.")
    return path


def _make_folder(target: Path, member: tarfile.TarInfo) -> None:
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ArchiveRefused(f"{_shown(member.name)} is in the archive twice, also as a folder.") from None


def _shown(name: str) -> str:
    return f'"{_plain(name)}"'


def _plain(given: str) -> str:
    """Of a bearable length, and without what would change how the rest of a message is shown."""
    cut = given if len(given) <= LONGEST_SHOWN else given[: LONGEST_SHOWN - 1] + "…"
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in cut)


def _lift(folder: Path) -> None:
    """An archive made from outside its folder holds everything in one folder: take that level away."""
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and (entries[0] / MANIFEST).is_file():
        inner = folder.with_name(f"{folder.name}.inner")
        entries[0].rename(inner)
        folder.rmdir()
        inner.rename(folder)
