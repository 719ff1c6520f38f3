"""Archives that are taken, and attacks that are not."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ovd_saas.runner import archives
from ovd_saas.runner.archives import ArchiveRefused, Bounds

BOUNDS = Bounds(total_bytes=1 << 20, entries=50, depth=5)


def entry(name: str, kind: bytes = tarfile.REGTYPE, **values: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in values.items():
        setattr(info, key, value)
    return info


def write(file: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for info, content in entries:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def unpack(tmp_path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    folder = tmp_path / "target"
    archives.unpack(write(tmp_path / "a.tar.gz", *entries), folder, BOUNDS)
    return folder


def test_files_and_folders_arrive_and_keep_only_the_right_to_be_executed(tmp_path: Path) -> None:
    folder = unpack(
        tmp_path,
        (entry("ovd.toml"), b"name"),
        (entry("a/b/run.sh", mode=0o4777), b"#!/bin/sh"),
        (entry("empty", tarfile.DIRTYPE), b""),
    )
    assert (folder / "ovd.toml").read_bytes() == b"name"
    assert (folder / "ovd.toml").stat().st_mode & 0o7777 == 0o400
    assert (folder / "a/b/run.sh").stat().st_mode & 0o7777 == 0o500
    assert (folder / "empty").is_dir()


def test_an_archive_of_one_folder_loses_that_level(tmp_path: Path) -> None:
    folder = unpack(tmp_path, (entry("app/ovd.toml"), b"x"), (entry("app/app.py"), b"y"))
    assert sorted(path.name for path in folder.iterdir()) == ["app.py", "ovd.toml"]


ATTACKS: dict[str, Callable[[], tuple[tarfile.TarInfo, bytes]]] = {
    "points outside": lambda: (entry("../evil"), b"x"),
    "outside its folder": lambda: (entry("/etc/evil"), b"x"),
    "its folder.": lambda: (entry("a/../../evil"), b"x"),
    "a\\\\b": lambda: (entry("a\\b"), b"x"),
    '"soft" in the archive is a link': lambda: (entry("soft", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
    '"hard" in the archive is a link': lambda: (entry("hard", tarfile.LNKTYPE, linkname="ovd.toml"), b""),
    '"pipe" in the archive is neither': lambda: (entry("pipe", tarfile.FIFOTYPE), b""),
    '"disk" in the archive is neither': lambda: (entry("disk", tarfile.BLKTYPE), b""),
    '"tty" in the archive is neither': lambda: (entry("tty", tarfile.CHRTYPE), b""),
    "more than 1 MB": lambda: (entry("bomb"), b"\0" * (2 << 20)),
    "too long a path": lambda: (entry("a/" * 10 + "b"), b"x"),
}


@pytest.mark.parametrize("said", ATTACKS)
def test_an_attack_is_refused_and_writes_nothing_outside(tmp_path: Path, said: str) -> None:
    with pytest.raises(ArchiveRefused, match=said):
        unpack(tmp_path, (entry("ovd.toml"), b"x"), ATTACKS[said]())
    assert {path.name for path in tmp_path.iterdir()} <= {"a.tar.gz", "target"}


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="more than 50 entries"):
        unpack(tmp_path, *((entry(f"file{number}"), b"") for number in range(51)))


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="twice"):
        unpack(tmp_path, (entry("a"), b"1"), (entry("a"), b"2"))


@pytest.mark.parametrize("content", [b"", b"not an archive at all", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(ArchiveRefused, match="cannot be read"):
        archives.unpack(tmp_path / "a.tar.gz", tmp_path / "target", BOUNDS)


def test_an_archive_that_was_cut_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.tar.gz", (entry("ovd.toml"), bytes(range(256)) * 500)).read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArchiveRefused):
        archives.unpack(tmp_path / "a.tar.gz", tmp_path / "target", BOUNDS)
