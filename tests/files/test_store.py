"""The file store keeps what it acknowledged, under the digest of its content, and nothing else."""

import hashlib
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ovd_saas import files
from ovd_saas.files import store


@pytest.fixture(params=["folder", "file", "memory"], autouse=True)
def address(request: pytest.FixtureRequest, tmp_path: Path, settings: object) -> str:
    where = {"folder": str(tmp_path), "file": f"file://{tmp_path}", "memory": f"memory://{tmp_path.name}"}[
        request.param
    ]
    settings.FILES = where  # type: ignore[attr-defined]
    settings.HOME = tmp_path  # type: ignore[attr-defined]
    return where


def left_behind(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "incoming").iterdir())


def test_what_is_put_is_read_back_by_the_digest_of_its_content(tmp_path: Path) -> None:
    digest = store.put(b"hello")
    assert digest == "sha256:" + hashlib.sha256(b"hello").hexdigest()
    assert store.read(digest) == b"hello"
    assert store.size(digest) == 5
    assert store.exists(digest)
    assert left_behind(tmp_path) == []


def test_putting_the_same_bytes_twice_stores_them_once(tmp_path: Path) -> None:
    assert store.put(b"again") == store.put(b"again")
    assert store.read(store.put(b"again")) == b"again"
    assert left_behind(tmp_path) == []


def test_empty_content_is_content() -> None:
    digest = store.put(b"")
    assert store.read(digest) == b""
    assert list(store.chunks(digest)) == []


def test_large_content_is_streamed_in_and_out_in_pieces() -> None:
    pieces = [bytes([n]) * 700_000 for n in range(5)]
    digest, size = store.put_stream(iter(pieces))
    assert size == 3_500_000
    given = list(store.chunks(digest))
    assert b"".join(given) == b"".join(pieces)
    assert max(map(len, given)) <= store.CHUNK


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"half of "
        raise OSError("the client went away")

    with pytest.raises(OSError, match="went away"):
        store.put_stream(breaks())
    assert left_behind(tmp_path) == []
    assert not store.exists("sha256:" + hashlib.sha256(b"half of ").hexdigest())


def test_an_aborted_writer_leaves_nothing(tmp_path: Path) -> None:
    writer = store.Writer()
    writer.write(b"no")
    writer.abort()
    assert left_behind(tmp_path) == []


def test_a_writer_takes_any_bytes_like_and_counts_them() -> None:
    with store.Writer() as writer:
        writer.write(bytearray(b"ab"))
        writer.write(memoryview(b"cd"))
        assert writer.size == 4
        assert writer.commit() == files.Stored("sha256:" + hashlib.sha256(b"abcd").hexdigest(), 4)


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:../../etc/passwd", "", "md5:0", "sha256:" + "A" * 64])
def test_unknown_and_malformed_digests_are_missing(digest: str) -> None:
    assert not store.exists(digest)
    for ask in (store.read, store.size, store.open):
        with pytest.raises(files.Missing):
            ask(digest)


def test_what_is_removed_is_missing() -> None:
    digest = store.put(b"take me down")
    store.remove(digest)
    assert not store.exists(digest)
    store.remove(digest)


def test_only_a_local_store_gives_a_path(address: str) -> None:
    digest = store.put(b"here")
    path = store.path(digest)
    assert path is None if address.startswith("memory:") else path is not None and path.read_bytes() == b"here"


def test_an_open_file_can_be_positioned() -> None:
    with store.open(store.put(b"0123456789")) as file:
        file.seek(4, io.SEEK_SET)
        assert file.read(3) == b"456"


def test_what_nobody_put_since_a_moment_can_be_removed() -> None:
    digest = store.put(b"old")
    assert not store.remove_untouched(digest, datetime.now(UTC) - timedelta(minutes=1))
    assert store.exists(digest)
    assert store.remove_untouched(digest, datetime.now(UTC) + timedelta(minutes=1))
    assert not store.exists(digest)
    assert store.remove_untouched(digest, datetime.now(UTC)), "what is not there is gone"


def test_putting_the_same_bytes_again_counts_as_putting_them_now(tmp_path: Path) -> None:
    digest = store.put(b"again")
    if (path := store.path(digest)) is not None:
        os.utime(path, (0, 0))
    store.put(b"again")
    assert not store.remove_untouched(digest, datetime.now(UTC) - timedelta(minutes=1))
    assert left_behind(tmp_path) == []
