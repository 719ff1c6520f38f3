"""Folders: making a tree read-only, and removing one that is."""

import shutil
from pathlib import Path


def make_read_only(folder: Path) -> None:
    """Nobody changes what was checked; files that could be executed still can. Others may read, as processes of
    applications have users of their own; the folder around it is for us alone."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444)


def make_readable(folder: Path) -> None:
    """Others may read and execute what we may; the folder around it is for us alone."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def remove(folder: Path) -> None:
    """Remove a tree, also a read-only one; nothing happens when it is not there."""
    if not folder.exists():
        return
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


def discard(file: Path) -> None:
    """Remove a file; nothing happens when it is not there."""
    file.unlink(missing_ok=True)


def empty(folder: Path) -> None:
    """Make the folder if it is missing, and remove what is in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            remove(path)
        else:
            path.unlink()
