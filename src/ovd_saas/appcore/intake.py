"""Intake: what was delivered, checked while it arrives, stored as JSON Lines. Floor 2: may use store, files, domain.

A `Delivery` takes JSON Lines piece by piece, or files of other formats; `finish` makes its bytes durable, and
`batches.receive` makes a batch of them. Until then nothing of it is anywhere but in a file that nobody knows.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ovd.schema import StoredFile
from ovd_saas.appcore import intake_conversion
from ovd_saas.appcore.intake_check import Check, Faults
from ovd_saas.appcore.intake_documents import elements
from ovd_saas.appcore.intake_lines import Lines
from ovd_saas.appcore.intake_spool import Room, TooLarge, full_disk
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import status
from ovd_saas.files import store
from ovd_saas.store.records import Application

JSON_LINES = "application/x-ndjson"
JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
FORMS = "multipart/form-data"
_NAMES = {
    JSON_LINES: JSON_LINES, "application/jsonl": JSON_LINES, "application/ndjson": JSON_LINES,
    "application/jsonlines": JSON_LINES, "application/x-jsonlines": JSON_LINES,
    JSON: JSON, CSV: CSV, "application/csv": CSV,
    PARQUET: PARQUET, "application/x-parquet": PARQUET, "application/parquet": PARQUET,
    FORMS: FORMS,
}  # fmt: skip
SUFFIXES = {".jsonl": JSON_LINES, ".ndjson": JSON_LINES, ".json": JSON, ".csv": CSV, ".parquet": PARQUET}

LARGEST_JSON = 32 << 20  # bytes of one JSON document; JSON Lines have no such bound
_MEANT = f"Are these JSON Lines? Then say so: Content-Type: {JSON_LINES}."
_ANY_OBJECT: dict[str, Any] = {"properties": {}, "required": []}


class NotLearning(Refusal):
    """The application takes no data: it is execute-only, retired, or has no ready release."""

    code = "not_learning"


class BrokenSamples(Refusal):
    """Some samples break the schema; nothing was stored."""

    code = "invalid"
    http = 422


class UnknownFormat(Refusal):
    """Nobody knows how to read it."""

    code = "unsupported_media_type"
    http = 415


class NoSamples(Refusal):
    """There is nothing in it."""

    code = "no_samples"
    http = 422


@dataclass(frozen=True)
class Rules:
    """What a delivery to an application is judged by."""

    application_id: int
    address: str
    sample: dict[str, Any]  # JSON Schema of one sample
    label: str  # the field that feedback fills
    same_within: float  # s in which the same samples again are the same batch

    @property
    def file_fields(self) -> list[str]:
        properties = self.sample["properties"]
        return [name for name, prop in properties.items() if prop["x-ovd"]["kind"] in ("image", "file")]


@dataclass(frozen=True)
class Delivered:
    """A delivery whose samples are good and whose bytes are durable; no batch yet."""

    digest: str  # of the JSON Lines
    size: int  # bytes of the JSON Lines
    samples: int
    received: str  # digest of what was sent
    media_type: str
    files: list[str] = field(default_factory=list)  # digests of the files that samples name
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """Of all bytes that it stored."""
        return [self.digest, *self.files]


def rules_of(application: Application) -> Rules:
    """Raises NotLearning with the reason. Read it with `select_related("organisation", "release")`."""
    address = application.address
    if application.status == status.RETIRED:
        raise NotLearning(f"{address} is retired. It takes no data any more; what it has stays readable.")
    if application.release is None:
        raise NotLearning(f"{address} has no ready release, so nobody knows what a sample of it is. Push one.")
    learn = application.release.manifest.get("learn")
    if not learn:
        raise NotLearning(f"{address} does not learn: its manifest has no table [learn]. It can only be executed.")
    return Rules(
        application_id=application.pk,
        address=address,
        sample=application.release.schema.get("sample") or _ANY_OBJECT,
        label=str(learn.get("label") or "label"),
        same_within=float(learn.get("same_within", 86_400)),
    )


def media_type(given: str) -> str | None:
    """The format that a Content-Type names; None when the intake knows no such format."""
    name = given.split(";")[0].strip().lower()
    return _NAMES.get(name, JSON if name.endswith("+json") else None)


class Delivery:
    """Samples on their way in. As a context manager it leaves nothing behind of what did not become a batch."""

    def __init__(self, rules: Rules, media_type: str, *, files: Mapping[str, StoredFile] | None = None) -> None:
        self.rules = rules
        self.media_type = media_type
        place = {PARQUET: "row", JSON: "sample", FORMS: "sample"}.get(media_type, "line")
        self._check = Check(rules.sample, place=place, files=files)
        self._lines = Lines(self._check)
        self._received = hashlib.sha256()
        self._digest = ""  # of what was received as a file
        self._room = Room()
        with full_disk():
            self._writer = store.Writer()

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.abort()

    @property
    def faults(self) -> Faults:
        return self._check.faults

    def feed(self, chunk: bytes) -> None:
        """The next bytes of JSON Lines. Raises NotText, TooLarge, DiskFull."""
        self._received.update(chunk)
        self._keep(self._lines.feed(chunk))

    def take_file(self, file: BinaryIO, received: str) -> None:
        """A whole file of another format, with its digest. Raises BrokenSamples, TooLarge, DiskFull, Unreadable."""
        self._digest = received
        if self.media_type == JSON:
            self._keep(self._of_document(file))
        else:
            kind = intake_conversion.CSV if self.media_type == CSV else intake_conversion.PARQUET
            self._keep(intake_conversion.samples(kind, file, self.rules.sample, self._check))

    def take_lines(self, file: BinaryIO) -> None:
        """A whole file of JSON Lines."""
        file.seek(0)
        while chunk := file.read(store.CHUNK):
            self.feed(chunk)

    def take_value(self, value: Any) -> None:
        """One sample."""
        self._keep([self._check.value(self._check.next, value)])
        self._check.next += 1

    @property
    def digests(self) -> set[str]:
        """Of the files that its samples name."""
        return self._check.digests

    def check(self) -> None:
        """Nothing, when `finish` can succeed; nothing more may come. Raises BrokenSamples, NoSamples, NotText."""
        self._keep(self._lines.end())
        if self.faults.count:
            raise broken(self.faults, self._check.samples + self.faults.samples)
        if not self._check.samples:
            raise NoSamples("There is no sample in it. Send at least one JSON object.")

    def finish(self, *, origin: dict[str, Any] | None = None, received_as_stored: bool = False) -> Delivered:
        """Afterwards the samples are durable. `received_as_stored`: what was sent is known by what is stored of it, as
        the same form may look different each time. Raises BrokenSamples, NoSamples, NotText, DiskFull."""
        self.check()
        with full_disk():
            stored = self._writer.commit()
        return Delivered(
            digest=stored.digest,
            size=stored.size,
            samples=self._check.samples,
            received=stored.digest if received_as_stored else self._digest or f"sha256:{self._received.hexdigest()}",
            media_type=self.media_type,
            files=sorted(self._check.digests),
            origin=origin or {},
        )

    def _keep(self, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            if self.faults.count:
                continue  # nothing will be stored: only what else is wrong is looked for
            self._room.take(len(block))
            with full_disk():
                self._writer.write(block)

    def _of_document(self, file: BinaryIO) -> Iterator[bytes]:
        """One object is one sample, an array is one for each element."""
        file.seek(0)
        raw = file.read(LARGEST_JSON + 1)
        if len(raw) > LARGEST_JSON:
            raise TooLarge(
                f"A JSON document may have {LARGEST_JSON >> 20} MiB. Send more as JSON Lines ({JSON_LINES}): "
                "one object a line."
            )
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BrokenSamples(f"The body is not text in UTF-8 (byte {error.start + 1}).") from None
        del raw
        if not text.strip():
            return
        try:
            for number, value in enumerate(elements(text), start=1):
                yield self._check.value(number, value)
        except ValueError as error:
            raise BrokenSamples(f"The body {error} {_MEANT}".strip()) from None


def broken(faults: Faults, samples: int) -> BrokenSamples:
    """All that is wrong: a sentence, and where each fault is."""
    first = faults.listed[0]
    which = (
        "The only sample breaks"
        if samples == faults.samples == 1
        else f"{faults.samples:,} of {samples:,} samples break"
    )
    listed = (
        ""
        if faults.count <= len(faults.listed)
        else f" The first {len(faults.listed):,} of {faults.count:,} errors are listed."
    )
    count = f"{faults.count:,} errors: " if faults.count > 1 else ""
    return BrokenSamples(
        f"{which} the declared schema; nothing was stored. {count}{first.field}: {first.message}{listed}",
        errors=faults.listed,
    )
