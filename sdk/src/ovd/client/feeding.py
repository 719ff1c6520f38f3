"""Feeding: samples into an application, feedback on executions, and the batches that came of them."""

import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Optional, Union

from ovd import sniff
from ovd.client.asking import Asking, json_of, path_of, quoted
from ovd.client.connection import FilePart
from ovd.client.errors import OvdError

JSON_LINES = "application/x-ndjson"
MEDIA_TYPES = {
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".json": "application/json",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
}
PIECE = 1 << 18  # bytes sent at once
TIME_TO_CHECK = 900.0  # s that the platform is given, after the last byte, to check all samples

OnProgress = Callable[[int, int], object]  # bytes sent, bytes in all
Samples = Union[str, Path, bytes, IO[bytes], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Batch:
    """One delivery of samples as the platform told it last."""

    number: int
    samples: int
    size: int  # bytes of its JSON Lines
    digest: str  # of those
    status: str  # pending, learning, learned, taken_down
    is_new: bool  # False when the platform had it already
    learning_run: "Optional[dict[str, Any]]"  # {id, number} of the run that took it
    document: "dict[str, Any]"  # everything the platform said

    @classmethod
    def from_document(cls, document: "dict[str, Any]", *, is_new: bool = False) -> "Batch":
        return cls(
            number=int(document["number"]),
            samples=int(document["samples"]),
            size=int(document["size"]),
            digest=str(document["digest"]),
            status=str(document["status"]),
            is_new=is_new,
            learning_run=document.get("learning_run"),
            document=document,
        )


class Feeding(Asking):
    """What a program does with data."""

    def feed(
        self,
        application: str,
        samples: Samples,
        *,
        media_type: Optional[str] = None,
        key: Optional[str] = None,
        on_progress: Optional[OnProgress] = None,
    ) -> Batch:
        """Send samples to `org/name`: a path (.jsonl, .json, .csv, .parquet), bytes or an open file (JSON Lines unless
        `media_type` says else), or a list of samples. They become one batch, or none: InvalidInput names every error.

        The call carries an Idempotency-Key, so that no retry stores them twice; give your own `key`, and that also
        holds when your program is started again. `on_progress` is called with bytes sent, and bytes in all.
        """
        kind = media_type or _media_type(samples)
        with _opened(samples) as file:
            size = file.seek(0, io.SEEK_END)
            response = self._connection.request(
                "POST",
                f"{path_of(application)}/intake",
                content=lambda: _pieces(file, size, on_progress),
                headers={
                    "Content-Type": kind,
                    "Content-Length": str(size),
                    "Idempotency-Key": key or uuid.uuid4().hex,
                },
                timeout=TIME_TO_CHECK,
            )
        return Batch.from_document(json_of(response.content), is_new=response.status_code == 201)

    def feed_files(
        self,
        application: str,
        samples: "Iterable[Mapping[str, Any]]",
        files: "Mapping[str, Union[str, Path, bytes]]",
        *,
        key: Optional[str] = None,
    ) -> Batch:
        """Send samples in which a field for a file (an image …) says the name of one of `files`; as `feed`."""
        lines = b"".join(_line(sample) for sample in samples)
        parts = [("samples", FilePart("samples.jsonl", lines, JSON_LINES))]
        parts += [("file", _file_part(name, content)) for name, content in files.items()]
        response = self._connection.request(
            "POST",
            f"{path_of(application)}/intake",
            files=parts,
            headers={"Idempotency-Key": key or uuid.uuid4().hex},
            timeout=TIME_TO_CHECK,
        )
        return Batch.from_document(json_of(response.content), is_new=response.status_code == 201)

    def feedback(self, id: str, label: Any) -> Batch:
        """Say what the right answer to an execution was: a value, or an object that names fields of a sample. It
        becomes a sample of the application. Raises Conflict when the execution did not succeed."""
        response = self._connection.request("POST", f"/executions/{quoted(id)}/feedback", json={"label": label})
        return Batch.from_document(json_of(response.content), is_new=response.status_code == 201)

    def batches(self, application: str) -> "list[Batch]":
        """All batches of `org/name`, the latest first."""
        return [Batch.from_document(one) for one in self._all(f"{path_of(application)}/batches")]

    def batch(self, application: str, number: int) -> Batch:
        """Batch `number` of `org/name` as it is now."""
        return Batch.from_document(self._document(f"{path_of(application)}/batches/{number}"))

    def download_batch(self, application: str, number: int, path: "Union[str, Path]") -> Path:
        """Write the samples of a batch as JSON Lines to `path`, a folder or the file's new name. Returns where it
        is."""
        batch = self.batch(application, number)
        target = Path(path)
        if target.is_dir():
            target = target / f"{application.rpartition('/')[2]}-{number}.jsonl"
        return self._download(f"{path_of(application)}/batches/{number}/content", target, batch.digest)

    def take_down(self, application: str, number: int) -> "list[dict[str, Any]]":
        """Remove the samples of a batch for good; the models that learned from it, as {number, status}."""
        answer = self._connection.request("DELETE", f"{path_of(application)}/batches/{number}")
        return list(json_of(answer.content)["models"])

    def sources(self, application: str) -> "list[dict[str, Any]]":
        """Where data of `org/name` is pulled from, and what became of each file."""
        return self._all(f"{path_of(application)}/sources")


def _media_type(samples: Samples) -> str:
    if not isinstance(samples, (str, Path)):
        return JSON_LINES
    found = MEDIA_TYPES.get(Path(samples).suffix.lower())
    if found is None:
        raise OvdError(
            f"{samples}: the name of a file of samples ends with one of {', '.join(MEDIA_TYPES)}. "
            "Rename it, or say its media type."
        )
    return found


@contextmanager
def _opened(samples: Samples) -> "Iterator[IO[bytes]]":
    """What can seek; an open file of the caller's stays open."""
    if isinstance(samples, (str, Path)):
        try:
            file = Path(samples).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise OvdError(f"{samples}: {error.strerror}. Give the path of a file that can be read.") from error
        with file:
            yield file
    elif isinstance(samples, (bytes, bytearray)):
        yield io.BytesIO(samples)
    elif isinstance(samples, Sequence):
        yield io.BytesIO(b"".join(map(_line, samples)))
    else:
        yield samples


def _line(sample: Any) -> bytes:
    try:
        return json.dumps(dict(sample), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except ValueError as error:
        raise OvdError(f"A sample cannot be written as JSON: {error}. Write None where a value is missing.") from None


def _pieces(file: "IO[bytes]", size: int, on_progress: Optional[OnProgress]) -> "Iterator[bytes]":
    """From the beginning: the request may be sent again."""
    file.seek(0)
    sent = 0
    while sent < size:
        piece = file.read(min(PIECE, size - sent))
        if not piece:
            raise OvdError("The file became shorter while it was sent. Send it again when nobody writes to it.")
        yield piece
        sent += len(piece)
        if on_progress is not None:
            on_progress(sent, size)


def _file_part(name: str, content: "Union[str, Path, bytes]") -> FilePart:
    if isinstance(content, bytes):
        data = content
    else:
        try:
            data = Path(content).read_bytes()
        except OSError as error:
            raise OvdError(f"{content}: {error.strerror}. Give the path of a file that can be read.") from error
    return FilePart(name, data, sniff.media_type(name, data[: sniff.HEAD]))
