"""The file store: put bytes in, get a digest; give a digest, get bytes. Floor 1.

Where it is: the setting `FILES` (environment `OVD_FILES`), a folder or an fsspec address. What `put` or `commit`
returned is durable. Unknown and malformed digests raise `files.Missing`.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from django.conf import settings

from ovd_saas.files import Missing, Stored, backends

CHUNK = 1 << 20  # bytes read at once
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Writer:
    """Bytes on their way in: any number of `write`, then `commit` or `abort`; as a context manager it aborts
    what was not committed."""

    def __init__(self) -> None:
        self._backend = _backend()
        self._path = backends.fresh(self._backend.scratch)
        self._file = self._path.open("xb", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0  # bytes so far

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        view = memoryview(chunk)
        self._hash.update(view)
        self.size += len(view)
        while view:
            view = view[self._file.write(view) :]

    def rest(self) -> None:
        """All bytes are written; `commit` or `abort` may come much later, and nothing is held open until then."""
        self._file.close()

    @property
    def digest(self) -> str:
        """Of the bytes so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def commit(self) -> Stored:
        """Afterwards the bytes are durable under their digest."""
        self._file.close()
        key = self._hash.hexdigest()
        self._backend.adopt(key, self._path)
        return Stored(f"sha256:{key}", self.size)

    def abort(self) -> None:
        """Afterwards nothing of it is left. Does nothing after `commit`."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def put(data: bytes) -> str:
    """The digest of the bytes, which are durable now."""
    return put_stream([data])[0]


def put_stream(chunks: Iterable[bytes]) -> tuple[str, int]:
    """Digest and size of the bytes, which are durable now; nothing is stored when `chunks` raises."""
    with Writer() as writer:
        for chunk in chunks:
            writer.write(chunk)
        stored = writer.commit()
    return stored.digest, stored.size


def open(digest: str) -> BinaryIO:
    try:
        return _backend().open(_key(digest))
    except FileNotFoundError:
        raise Missing(digest) from None


def read(digest: str) -> bytes:
    with open(digest) as file:
        return file.read()


def chunks(digest: str) -> Iterator[bytes]:
    """The bytes, at most 1 MiB at once. Raises Missing at the first step."""
    with open(digest) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def size(digest: str) -> int:
    try:
        return _backend().size(_key(digest))
    except FileNotFoundError:
        raise Missing(digest) from None


def exists(digest: str) -> bool:
    try:
        size(digest)
    except Missing:
        return False
    return True


def path(digest: str) -> Path | None:
    """The file itself when the store is a local folder and has it, to be read only; else None."""
    return _backend().path(_key(digest))


def remove(digest: str) -> None:
    """Afterwards nothing is stored under the digest. The caller knows that nothing refers to it any more."""
    _backend().remove(_key(digest))


def remove_untouched(digest: str, since: datetime) -> bool:
    """As `remove`, but only when nobody put the same bytes since then; False when somebody did."""
    return _backend().remove_untouched(_key(digest), since)


def _key(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise Missing(digest)
    return match[1]


def _backend() -> backends.Backend:
    return _backend_at(str(settings.FILES), settings.HOME / "incoming")


@lru_cache(maxsize=4)
def _backend_at(address: str, scratch: Path) -> backends.Backend:
    return backends.backend(address, scratch)
