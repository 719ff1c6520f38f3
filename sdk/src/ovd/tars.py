"""Tars: a folder as one file and back. The same contents give the same bytes, and nothing that is unpacked lands
outside its folder."""

import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import IO, Iterator, Tuple

LONGEST = 500  # characters of a path inside
DEEPEST = 30  # folders


LONGEST_EXTENSION = 64 << 10  # bytes of an extended header


class Entry(tarfile.TarInfo):
    """An entry of a tar from strangers (`tarfile.open(…, tarinfo=Entry)`), whose extended headers, such as long names,
    are of a bearable size: the library reads them into memory whole."""

    _EXTENDED = b"LKxgX"  # types

    def _proc_member(self, tar: tarfile.TarFile) -> "Entry":
        if self.size < 0:
            raise tarfile.ReadError("an entry has less than no bytes")
        if self.type in (bytes([kind]) for kind in self._EXTENDED) and self.size > LONGEST_EXTENSION:
            raise tarfile.ReadError(f"an extended header has {self.size} bytes")
        found: Entry = super()._proc_member(tar)  # type: ignore[misc]
        return found


class Unfit(ValueError):
    """A folder cannot be kept, or a tar cannot be unpacked; the message says what in it."""


def pack(folder: Path, target: Path) -> int:
    """Write all of `folder` into the new file `target`: names in order, no times, no owners. Returns its size in bytes.

    Raises Unfit when there is something else than files and folders."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for name, path in sorted(contents(folder)):
            entry = tarfile.TarInfo(name)
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
                continue
            entry.size, entry.mode = status.st_size, 0o755 if status.st_mode & stat.S_IXUSR else 0o644
            with path.open("rb") as opened:
                tar.addfile(entry, opened)
    return target.stat().st_size


def contents(folder: Path) -> Iterator[Tuple[str, Path]]:
    """(name inside, path) of every file and folder in `folder`. Raises Unfit."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            inside = path.relative_to(folder).as_posix()
            _judge(inside, path)
            yield inside, path


def _judge(name: str, path: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise Unfit(f"{name!r} is a link. Write the file itself.")
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise Unfit(f"{name!r} is neither a file nor a folder. Remove it.")
    if len(name) > LONGEST or name.count("/") >= DEEPEST:
        raise Unfit(f"{name[:80]!r}… is a path too long. At most {LONGEST} characters and {DEEPEST} folders are kept.")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise Unfit(f"{name!r} is no name in UTF-8. Rename it.") from None


def unpack(tar_file: Path, folder: Path) -> None:
    """Fill `folder`, which is made, with what `pack` put into the file. Raises Unfit for a tar that is broken, or holds
    links, or names outside of the folder, or the same name twice; what was there by then stays."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(tar_file, "r:", encoding="utf-8", tarinfo=Entry) as tar:
            for entry in tar:
                _unpack(tar, entry, folder)
    except (tarfile.TarError, EOFError, UnicodeError, RecursionError) as error:
        raise Unfit(f"It is not a whole tar: {error}.") from None
    except (FileExistsError, NotADirectoryError) as error:
        raise Unfit(f"It holds the same name twice: {error.filename}.") from None


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    parts = entry.name.split("/")
    if entry.name.startswith("/") or ".." in parts or "\x00" in entry.name:
        raise Unfit(f"It names {entry.name!r}, which lies outside of the folder.")
    target = folder.joinpath(*parts)
    if entry.isdir():
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    if not entry.isreg():
        raise Unfit(f"It holds {entry.name!r}, which is neither a file nor a folder.")
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    source = tar.extractfile(entry)
    assert source is not None  # it is a file
    with source, target.open("xb") as opened:
        _copy(source, opened, entry.size)
    target.chmod(0o755 if entry.mode & stat.S_IXUSR else 0o644)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    shutil.copyfileobj(source, target, 1 << 20)
    if target.tell() != size:
        raise Unfit("It ends in the middle of a file.")
