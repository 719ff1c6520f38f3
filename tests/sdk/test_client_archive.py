"""The archive of a folder: what is in it, and that its bytes tell nothing else."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from ovd.client import OvdError
from ovd.client.archive import pack


def names(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return archive.getnames()


def fill(folder: Path) -> Path:
    (folder / "samples").mkdir(parents=True)
    (folder / "app.py").write_text("pass")
    (folder / "samples" / "one.json").write_text("{}")
    return folder


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = fill(tmp_path / "a"), fill(tmp_path / "b")
    os.utime(second / "app.py", (1, 1))
    assert pack(first) == pack(second)
    (second / "app.py").chmod(0o755)
    assert pack(first) != pack(second)


def test_what_no_application_needs_stays_here(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    for path in (".git/config", "__pycache__/a.pyc", ".venv/bin/python", ".env", "samples/.DS_Store", "data/raw.csv"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    (folder / ".ovdignore").write_text("# large\n\ndata/\nsamples/two.*\n")
    (folder / "samples" / "two.json").write_text("{}")
    assert names(pack(folder)) == [".ovdignore", "app.py", "samples/one.json"]


def test_a_link_to_a_file_becomes_a_file(tmp_path: Path) -> None:
    folder = fill(tmp_path / "app")
    (tmp_path / "weights.bin").write_bytes(b"12")
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with tarfile.open(fileobj=io.BytesIO(pack(folder))) as archive:
        assert archive.getmember("weights.bin").isreg()
        assert archive.getmember("weights.bin").size == 2


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "app")
    (folder / "more").symlink_to(tmp_path)
    with pytest.raises(OvdError, match="more is neither"):
        pack(folder)


def test_nobody_is_named_in_it(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(fill(tmp_path)))) as archive:
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in archive} == {(0, 0, "", "", 0)}
