"""Tars: the same folder gives the same bytes, and nothing that is unpacked does harm."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovd import tars

NAMES = st.text(st.characters(blacklist_characters="/\x00", blacklist_categories=("Cs",)), min_size=1, max_size=30)


def filled(folder: Path) -> Path:
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "x.bin").write_bytes(bytes(range(256)) * 100)
    (folder / "a-ñ.txt").write_text("text")
    (folder / "empty").mkdir()
    (folder / "run.sh").write_text("true")
    (folder / "run.sh").chmod(0o700)
    return folder


def digest(folder: Path, target: Path) -> str:
    size = tars.pack(folder, target)
    assert size == target.stat().st_size
    return hashlib.sha256(target.read_bytes()).hexdigest()


def test_the_same_contents_give_the_same_bytes_whenever_and_by_whomever_they_were_written(tmp_path: Path) -> None:
    one, two = filled(tmp_path / "one"), filled(tmp_path / "two")
    os.utime(two / "a-ñ.txt", (1, 1))
    (two / "b").chmod(0o700)
    (two / "a-ñ.txt").chmod(0o600)
    assert digest(one, tmp_path / "1.tar") == digest(two, tmp_path / "2.tar")
    with tarfile.open(tmp_path / "1.tar") as tar:
        entries = tar.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, 0, "", "")}
    assert {entry.mode for entry in entries} == {0o644, 0o755}


def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    folder = filled(tmp_path / "one")
    before = digest(folder, tmp_path / "1.tar")
    tars.unpack(tmp_path / "1.tar", tmp_path / "again")
    assert digest(tmp_path / "again", tmp_path / "2.tar") == before
    assert (tmp_path / "again" / "empty").is_dir()
    assert os.access(tmp_path / "again" / "run.sh", os.X_OK)


@given(st.dictionaries(NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=100), max_size=8))
def test_any_names_survive(files: dict[str, bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "in")
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        tars.pack(folder, Path(place, "t.tar"))
        tars.unpack(Path(place, "t.tar"), Path(place, "out"))
        assert {path.name: path.read_bytes() for path in Path(place, "out").iterdir()} == files


def test_an_empty_folder_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    tars.pack(tmp_path / "none", tmp_path / "t.tar")
    tars.unpack(tmp_path / "t.tar", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_links_and_pipes_are_not_packed(tmp_path: Path) -> None:
    folder = filled(tmp_path / "one")
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(tars.Unfit, match="'link' is a link"):
        tars.pack(folder, tmp_path / "t.tar")
    (folder / "link").unlink()
    (folder / "link").symlink_to(folder / "b")
    with pytest.raises(tars.Unfit, match="is a link"):
        tars.pack(folder, tmp_path / "t.tar")
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(tars.Unfit, match="neither a file nor a folder"):
        tars.pack(folder, tmp_path / "t.tar")


def tar_of(*entries: tuple[str, bytes, bytes]) -> bytes:
    """(name, type, content or target)"""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(content)
            else:
                entry.linkname = content.decode()
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (tar_of(("../x", tarfile.REGTYPE, b"x")), "outside"),
        (tar_of(("a/../../x", tarfile.REGTYPE, b"x")), "outside"),
        (tar_of(("/tmp/x", tarfile.REGTYPE, b"x")), "outside"),
        (tar_of(("x", tarfile.SYMTYPE, b"/etc")), "neither a file nor a folder"),
        (tar_of(("x", tarfile.LNKTYPE, b"/etc/passwd")), "neither a file nor a folder"),
        (tar_of(("x", tarfile.CHRTYPE, b"")), "neither a file nor a folder"),
        (tar_of(("x", tarfile.REGTYPE, b"1"), ("x", tarfile.REGTYPE, b"2")), "twice"),
        (tar_of(("x", tarfile.REGTYPE, b"1"), ("x/y", tarfile.REGTYPE, b"2")), "twice"),
        (tar_of(("x", tarfile.REGTYPE, b"1"), ("x", tarfile.DIRTYPE, b"")), "twice"),
        (tar_of(("x", tarfile.REGTYPE, bytes(5000)))[:3000], "whole tar|in the middle"),
        (b"", "whole tar"),
        (b"not a tar" * 100, "whole tar"),
        (tar_of(("x", tarfile.REGTYPE, b"1"))[:300], "whole tar"),
    ],
)
def test_a_tar_that_would_do_harm_or_is_broken_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    (tmp_path / "t.tar").write_bytes(raw)
    with pytest.raises(tars.Unfit, match=words):
        tars.unpack(tmp_path / "t.tar", tmp_path / "in" / "out")
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"out"}
