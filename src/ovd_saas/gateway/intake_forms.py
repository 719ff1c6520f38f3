"""Intake forms: a multipart request of samples with their files, or of one sample, taken in while it arrives. Floor 3.

A part `samples` holds JSON Lines, a JSON array or CSV, in which a field for a file says the name of a file part.
Without such a part, each part is a field of one sample.
"""

from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ovd.nearest import did_you_mean
from ovd.schema import FieldError, StoredFile, parse_upload
from ovd.uploads import over
from ovd_saas.appcore import intake, intake_cells
from ovd_saas.appcore.intake import Delivered, Delivery, Rules
from ovd_saas.appcore.intake_spool import Spool, full_disk
from ovd_saas.files.store import Writer
from ovd_saas.gateway.forms import HEAD, USUAL_LIMIT
from ovd_saas.gateway.refusals import BadRequest, Invalid

SAMPLES = "samples"
MOST_PARTS = 10_000
LONGEST_TEXT = 16 << 20  # bytes of a part that is no file
LONGEST_NAME = 1000  # characters
_MEDIA_TYPES = (intake.JSON_LINES, intake.JSON, intake.CSV)


@dataclass
class Part:
    """One part while it arrives: a file in the file store, or a text in memory."""

    name: str
    file_name: str
    media_type: str
    writer: Writer | None = None
    spool: Spool | None = None
    text: bytearray | None = None
    head: bytes = b""
    size: int = 0


class IntakeForm:
    """What arrives. As a context manager it removes what did not become part of a delivery. `feed` and `finish` may run
    in threads, one call at a time."""

    def __init__(self, rules: Rules, content_type: bytes) -> None:
        self._rules = rules
        self._properties: dict[str, Any] = rules.sample["properties"]
        limits = [self._properties[name]["x-ovd"].get("max_bytes") for name in rules.file_fields]
        self._limit = max([int(limit or USUAL_LIMIT) for limit in limits], default=USUAL_LIMIT)
        self._errors: list[FieldError] = []
        self._files: dict[str, Part] = {}  # by file name
        self._texts: dict[str, Part] = {}  # by field
        self._samples: Part | None = None
        self._part: Part | None = None
        self._all: list[Part] = []
        self._headers: dict[bytes, bytes] = {}
        self._header: list[bytes] = [b"", b""]
        self._is_whole = False
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise BadRequest("The multipart request names no boundary in its Content-Type.")
        try:
            self._parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]
        except FormParserError as error:
            raise BadRequest(f"The multipart request cannot be read: {error}.") from None

    def __enter__(self) -> "IntakeForm":
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._all:
            if part.writer is not None:
                part.writer.abort()
            if part.spool is not None:
                part.spool.file.close()

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the request. Raises BadRequest, TooLarge, DiskFull."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadRequest(f"The multipart request cannot be read: {error}.") from None

    def finish(self) -> Delivered:
        """Afterwards samples and files are durable. Raises BadRequest, Invalid, BrokenSamples, NoSamples, DiskFull."""
        if not self._is_whole:
            raise BadRequest("The multipart request ends before its last boundary.")
        if self._errors:
            raise _invalid(self._errors)
        if self._samples is not None:
            return self._of_samples(self._samples)
        return self._of_fields()

    def _of_samples(self, part: Part) -> Delivered:
        assert part.spool is not None
        files = {name: _stored(one) for name, one in self._files.items()}
        with Delivery(self._rules, _format(part), files=files) as delivery:
            if delivery.media_type == intake.JSON_LINES:
                delivery.take_lines(part.spool.file)
            else:
                delivery.take_file(part.spool.file, part.spool.digest)
            return self._finish(delivery)

    def _of_fields(self) -> Delivered:
        """Each part is a field of the only sample."""
        if not self._files and not self._texts:
            raise intake.NoSamples(
                'There is no part in it. Send a part "samples", or a part for each field of one sample.'
            )
        sample: dict[str, Any] = {}
        for name, part in self._texts.items():
            value = _value(self._properties.get(name), part)
            if value is not intake_cells.ABSENT:
                sample[name] = value
        files = {}
        for part in self._files.values():
            sample[part.name] = part.name
            files[part.name] = _stored(part)
        with Delivery(self._rules, intake.FORMS, files=files) as delivery:
            delivery.take_value(sample)
            return self._finish(delivery)

    def _finish(self, delivery: Delivery) -> Delivered:
        """The files first: nothing may name bytes that are not there."""
        delivery.check()
        unnamed = [name for name, part in self._files.items() if _digest(part) not in delivery.digests]
        if unnamed:
            raise _invalid([FieldError(name, "is a file that no sample names.") for name in unnamed])
        with full_disk():
            for part in self._files.values():
                if part.writer is not None:
                    part.writer.commit()
                    part.writer = None
        return delivery.finish(received_as_stored=True)

    def _callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._on_part_begin,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        if len(self._all) >= MOST_PARTS:
            raise BadRequest(f"The multipart request has more than {MOST_PARTS} parts. Send several smaller ones.")
        self._headers, self._header = {}, [b"", b""]

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode(errors="replace")
        file_name = options.get(b"filename", b"").decode(errors="replace").replace("\\", "/")[:LONGEST_NAME]
        media_type = self._headers.get(b"content-type", b"").decode("latin-1")
        part = self._part = Part(name, file_name, media_type)
        self._all.append(part)
        prop = self._properties.get(name)
        kind = prop["x-ovd"]["kind"] if prop else ""
        with full_disk():
            if name == SAMPLES and kind not in ("image", "file"):
                self._begin_samples(part)
            elif kind in ("image", "file") or (file_name and not prop):
                self._begin_file(part)
            else:
                part.text = bytearray()

    def _begin_samples(self, part: Part) -> None:
        if self._samples is not None:
            self._errors.append(FieldError(SAMPLES, "was sent twice."))
            return
        self._samples = part
        part.spool = Spool()

    def _begin_file(self, part: Part) -> None:
        key = part.file_name or part.name
        if key in self._files:
            self._errors.append(FieldError(key, "is the name of two files. Give each file a name of its own."))
            return
        part.file_name = key
        part.writer = Writer()
        self._files[key] = part

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part is None:
            return
        part.size += end - start
        chunk = memoryview(data)[start:end]
        if part.writer is not None:
            if part.size > self._limit:
                return  # counted, not kept
            if len(part.head) < HEAD:
                part.head += bytes(chunk[: HEAD - len(part.head)])
            with full_disk():
                part.writer.write(chunk)
        elif part.spool is not None:
            part.spool.feed(bytes(chunk))
        elif part.text is not None and part.size <= LONGEST_TEXT:
            part.text += chunk

    def _on_part_end(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        if part.writer is not None:
            part.writer.rest()
            if part.size > self._limit:
                self._errors.append(FieldError(part.file_name, f"{over(part.size, self._limit)}. Send a smaller file."))
        elif part.text is not None:
            if part.size > LONGEST_TEXT:
                self._errors.append(FieldError(part.name, f"{over(part.size, LONGEST_TEXT)}."))
            elif part.name in self._texts:
                self._errors.append(FieldError(part.name, "was sent twice."))
            else:
                self._texts[part.name] = part

    def _on_end(self) -> None:
        self._is_whole = True
        if self._samples is not None:
            for name in self._texts:
                message = f'is a part beside "samples", which holds the fields.{did_you_mean(name, [SAMPLES])}'
                self._errors.append(FieldError(name, message))


def _digest(part: Part) -> str:
    assert part.writer is not None
    return part.writer.digest


def _stored(part: Part) -> StoredFile:
    base = "".join(character for character in part.file_name.rsplit("/", 1)[-1] if character.isprintable())[:255]
    return StoredFile(base or "file", part.media_type, part.size, _digest(part), part.head)


def _format(part: Part) -> str:
    """Of the part `samples`: by its Content-Type, else by its file's name; else by how it begins."""
    named = intake.media_type(part.media_type) if part.media_type else None
    if named is None:
        suffix = "." + part.file_name.rsplit(".", 1)[-1].lower()
        named = intake.SUFFIXES.get(suffix)
    if named is None and part.spool is not None:
        part.spool.file.seek(0)
        named = intake.JSON if part.spool.file.read(64).lstrip()[:1] == b"[" else intake.JSON_LINES
    if named not in _MEDIA_TYPES:
        raise _invalid([FieldError(SAMPLES, f"must be {', '.join(_MEDIA_TYPES)}, not {part.media_type[:60]!r}.")])
    return named


def _value(prop: dict[str, Any] | None, part: Part) -> Any:
    """What a part that is no file says. Raises Invalid."""
    assert part.text is not None
    kind = prop["x-ovd"]["kind"] if prop else ""
    if kind in ("series", "table"):
        try:
            return parse_upload(kind, bytes(part.text), part.media_type)
        except ValueError as error:
            raise _invalid([FieldError(part.name, str(error))]) from None
    try:
        return intake_cells.value(prop, part.text.decode())
    except UnicodeDecodeError:
        raise _invalid([FieldError(part.name, "is not text in UTF-8.")]) from None


def _invalid(errors: list[FieldError]) -> Invalid:
    more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
    return Invalid(f'"{errors[0].field}" {errors[0].message}{more}', errors=errors[:1000])
