"""Archives that were made by hand to do harm: bytes that no packer would write."""

import gzip
import io
import resource
import tarfile
import time
import tracemalloc
from pathlib import Path

import pytest

from ovd_saas.appcore import releases
from ovd_saas.runner import archives
from ovd_saas.runner.archives import ArchiveRefused, Bounds

BOUNDS = Bounds(total_bytes=8 << 20, entries=5_000, depth=5)


def head(name: bytes, size: int | bytes, kind: bytes = b"0", mode: bytes = b"0000644") -> bytes:
    """One header of a tar."""
    length = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    block[0 : len(name[:100])] = name[:100]
    block[100:108] = mode + b"\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = length
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def entry(name: bytes, data: bytes = b"x", kind: bytes = b"0", mode: bytes = b"0000644") -> bytes:
    return head(name, len(data), kind, mode) + padded(data)


def pax(**records: bytes) -> bytes:
    data = b""
    for name, value in records.items():
        record = b" " + name.replace("_", ".").encode() + b"=" + value + b"\n"
        size = len(record) + 1
        while len(str(size)) + len(record) != size:
            size += 1
        data += str(size).encode() + record
    return entry(b"pax", data, b"x")


MANIFEST = entry(b"ovd.toml", b'name = "x"')
END = bytes(1024)

REFUSED: dict[str, bytes] = {
    "negative size": head(b"a", b"\xff" * 12) + MANIFEST,
    "negative size in pax": pax(size=b"-1000000") + entry(b"a") + MANIFEST,
    "huge size": head(b"a", b"\x80" + bytes(3) + b"\xff" * 8) + MANIFEST,
    "size that is none": head(b"a", b"zzzzzzzzzzz\0") + MANIFEST,
    "endless pax headers": pax(comment=b"x") * 3_000 + MANIFEST,
    "endless long names": entry(b"././@LongLink", b"a" * 50, b"L") * 3_000 + MANIFEST,
    "a long name of 8 MB": entry(b"././@LongLink", b"a" * (8 << 20), b"L") + MANIFEST,
    "a pax header of 8 MB": pax(path=b"a" * (8 << 20)) + entry(b"a"),
    "a global pax header": entry(b"pax", b"15 path=../evil\n", b"g") + entry(b"a"),
    "outside by pax": pax(path=b"../../evil") + entry(b"a"),
    "absolute by pax": pax(path=b"/tmp/evil") + entry(b"a"),
    "link by pax": pax(linkpath=b"/etc/passwd") + entry(b"a", b"", b"2"),
    "sparse by pax": pax(GNU_sparse_major=b"1", GNU_sparse_minor=b"0", GNU_sparse_realsize=b"9" * 13) + entry(b"a"),
    "a null in a name": pax(path=b"a\0b") + entry(b"a"),
    "a line in a name": pax(path=b"a\nb") + entry(b"a"),
    "an escape in a name": pax(path=b"a\x1b[2Jb") + entry(b"a"),
    "no utf-8 in a name": entry(b"a\xff\xfe"),
    "right to left": pax(path="a\u202egnp.py".encode()) + entry(b"a"),
    "a name too long": pax(path=b"a" * 300) + entry(b"a"),
    "no name": entry(b""),
    "the folder itself": entry(b"./"),
    "file and folder": entry(b"a") + entry(b"a/b"),
    "folder and file": entry(b"a/b") + entry(b"a"),
    "twice by dots": entry(b"a") + entry(b"./a"),
    "twice by slashes": entry(b"d//a") + entry(b"d/a"),
    "a socket": entry(b"a", b"", b"s"),
    "continued": entry(b"a", b"x", b"M"),
    "a fifo with content": entry(b"a", b"x", b"6"),
    "a gnu dump": entry(b"a", b"Yx\0\0", b"D"),
    "a device": entry(b"null", b"", b"3"),
    "cut": entry(b"a", b"x" * 5000)[:2000],
}  # fmt: skip


def write(tmp_path: Path, raw: bytes) -> Path:
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(raw, 1))
    return file


@pytest.mark.parametrize("attack", REFUSED)
def test_it_is_refused_in_words_and_nothing_lies_outside(tmp_path: Path, attack: str) -> None:
    file = write(tmp_path, REFUSED[attack] + END)
    tracemalloc.start()
    with pytest.raises(ArchiveRefused) as refused:
        archives.unpack(file, tmp_path / "in" / "target" if (tmp_path / "in").mkdir() is None else tmp_path, BOUNDS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    said = str(refused.value)
    assert said.isprintable() and len(said) < 400 and str(tmp_path) not in said, said
    said.encode()
    assert {path.name for path in tmp_path.iterdir()} <= {"a.tar.gz", "in"}
    assert peak < 16 << 20


@pytest.mark.parametrize("attack", REFUSED)
def test_the_platform_looks_for_the_manifest_in_it_without_harm(tmp_path: Path, attack: str) -> None:
    with write(tmp_path, REFUSED[attack] + MANIFEST + END).open("rb") as opened:
        tracemalloc.start()
        try:
            releases.read_manifest(opened)
        except releases.BadArchive as refused:
            refused.detail.encode()
            assert len(refused.detail) < 1_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 16 << 20


def test_a_bomb_of_a_thousand_to_one_is_refused_when_it_is_over_the_bound(tmp_path: Path) -> None:
    file = write(tmp_path, entry(b"bomb", bytes(64 << 20)) + END)
    assert file.stat().st_size < 1 << 20
    with pytest.raises(ArchiveRefused, match="unpacks to more than 8 MB"):
        archives.unpack(file, tmp_path / "target", BOUNDS)
    assert sum(path.stat().st_size for path in (tmp_path / "target").rglob("*")) <= 8 << 20


def test_a_flood_of_tiny_entries_is_refused_early(tmp_path: Path) -> None:
    file = write(tmp_path, b"".join(entry(b"f%d" % number, b"") for number in range(50_000)) + END)
    began = time.monotonic()
    with pytest.raises(ArchiveRefused, match="more than 5000 entries"):
        archives.unpack(file, tmp_path / "target", BOUNDS)
    assert time.monotonic() - began < 20


def test_the_manifest_behind_a_bomb_is_not_looked_for_without_end(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) as packed:
        packed.write(head(b"bomb", 3 << 30))
        for _ in range(4):
            packed.write(bytes(1 << 20))
    raw.seek(0)
    with pytest.raises(releases.BadArchive, match="unpacks to more than"):
        releases.read_manifest(raw)
    entries = io.BytesIO(gzip.compress(b"".join(entry(b"f%d" % n, b"") for n in range(30_000)) + MANIFEST + END, 1))
    with pytest.raises(releases.BadArchive, match="entries"):
        releases.read_manifest(entries)


def test_rights_beyond_executing_do_not_arrive(tmp_path: Path) -> None:
    raw = entry(b"ovd.toml") + entry(b"su", b"x", mode=b"0006777") + entry(b"d/", b"", b"5", b"0007777") + END
    archives.unpack(write(tmp_path, raw), tmp_path / "target", BOUNDS)
    assert (tmp_path / "target/su").stat().st_mode & 0o7777 == 0o500
    assert (tmp_path / "target/d").stat().st_mode & 0o7077 == 0


def test_names_that_only_look_alike_are_different_files(tmp_path: Path) -> None:
    """As on the file system of a GNU/Linux machine; what is imported is what the manifest names."""
    names = ["é.py", "e\u0301.py", "App.py", "app.py", "OVD.TOML", "ovd.toml"]
    raw = b"".join(pax(path=name.encode()) + entry(b"x", name.encode()) for name in names) + END
    archives.unpack(write(tmp_path, raw), tmp_path / "target", BOUNDS)
    for name in names:
        assert (tmp_path / "target" / name).read_text() == name


def test_packed_twice_or_with_something_behind_it_is_only_what_was_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(MANIFEST + END) + gzip.compress(entry(b"../evil") + END) + b"rubbish")
    try:
        archives.unpack(file, tmp_path / "target", BOUNDS)
    except ArchiveRefused:
        return
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["ovd.toml"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
    assert tarfile.is_tarfile(tmp_path / "a.tar.gz")
