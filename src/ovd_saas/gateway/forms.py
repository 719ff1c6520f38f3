"""Forms: a multipart request, streamed: files go to the file store while they arrive. Floor 3."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ovd.nearest import did_you_mean
from ovd.schema import FieldError, FileHead, parse_upload
from ovd.uploads import over
from ovd_saas.files.store import Writer
from ovd_saas.gateway.bodies import (
    LARGEST_JSON,
    MEMBERS,
    AsyncChunks,
    Receive,
    Wanted,
    parse,
    take_consent,
    take_deadline,
    take_seed,
)
from ovd_saas.gateway.refusals import BadRequest, TooLarge

HEAD = 4096  # bytes of a file that are looked at
SLACK = 256 << 20  # bytes read beyond all limits, so that the answer can name the field that is too large
USUAL_LIMIT = 20 << 20  # bytes of a field that declares none
MOST_PARTS = 200
_FILES = ("image", "file")
_PARSED = ("table", "series")


@dataclass
class Part:
    """One part while it arrives; what is over `limit` is counted, not kept."""

    name: str
    file_name: str
    media_type: str
    limit: int
    kind: str = ""  # of the input it is for
    size: int = 0
    data: bytearray = field(default_factory=bytearray)  # head of a file, or all of another part
    writer: Writer | None = None

    def take(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self.limit:
            return
        if self.writer is None:
            self.data += chunk
            return
        self.writer.write(chunk)
        if len(self.data) < HEAD:
            self.data += chunk[: HEAD - len(self.data)]

    @property
    def head(self) -> FileHead:
        return FileHead(self.file_name or self.name, self.media_type, self.size, bytes(self.data[:HEAD]))


class Form:
    """What arrives, judged by the schema of the inputs. As a context manager it removes what was not stored."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._properties: dict[str, Any] = inputs["properties"]
        self.parts: dict[str, Part] = {}
        self.errors: list[FieldError] = []
        self._part: Part | None = None
        self._count = 0
        self._headers: dict[bytes, bytes] = {}
        self._header: list[bytes] = [b"", b""]
        self._is_whole = False

    def __enter__(self) -> "Form":
        return self

    def __exit__(self, *_: object) -> None:
        for part in (*self.parts.values(), *([self._part] if self._part else [])):
            if part.writer is not None:
                part.writer.abort()

    @property
    def limit(self) -> int:
        """Bytes of the whole request."""
        return SLACK + sum(self._limit(name) for name in self._properties)

    @property
    def files(self) -> dict[str, Part]:
        """The uploads that become files, by input."""
        return {name: part for name, part in self.parts.items() if part.kind in _FILES}

    async def read(self, receive: Receive, content_type: bytes) -> None:
        """Raises BadRequest, TooLarge, Disconnected."""
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise BadRequest("The multipart request names no boundary in its Content-Type.")
        limit = self.limit
        total = 0
        try:
            parser = MultipartParser(boundary, self._callbacks())  # type: ignore[arg-type]
            async for chunk in AsyncChunks(receive):
                total += len(chunk)
                if total > limit:
                    raise TooLarge(f"The request has more than {limit >> 20} MiB. Send smaller files.")
                parser.write(chunk)
        except FormParserError as error:
            raise BadRequest(f"The multipart request cannot be read: {error}.") from None
        if not self._is_whole:
            raise BadRequest("The multipart request ends before its last boundary.")

    def wanted(self, now: datetime) -> Wanted:
        """What the parts say. Raises BadRequest when a JSON part is not JSON."""
        wanted = Wanted(errors=self.errors)
        if (part := self.parts.get("inputs")) and not part.kind:
            if part.size > part.limit:
                raise TooLarge(f'The part "inputs" has more than {part.limit >> 20} MiB. Send large data as files.')
            wanted.size = part.size
            wanted.inputs = parse(bytes(part.data), 'The part "inputs"')
            if not isinstance(wanted.inputs, dict):
                wanted.errors.append(FieldError("inputs", "must be an object with one member per input."))
                wanted.inputs = {}
        if (part := self.parts.get("seed")) and not part.kind:
            take_seed(wanted, parse(bytes(part.data), 'The part "seed"'))
        if (part := self.parts.get("deadline")) and not part.kind:
            take_deadline(wanted, _number_or_text(bytes(part.data)), now)
        if (part := self.parts.get("consent")) and not part.kind:
            take_consent(wanted, _truth(bytes(part.data)))
        for name, part in self.parts.items():
            if part.kind in _PARSED:
                self._parse(wanted, name, part)
        return wanted

    def _parse(self, wanted: Wanted, name: str, part: Part) -> None:
        if name in wanted.inputs:
            wanted.errors.append(FieldError(name, "was sent twice: as a file and among the inputs."))
        elif part.size > part.limit:
            message = f"{over(part.size, part.limit)}."
            wanted.errors.append(FieldError(name, message))
        else:
            try:
                wanted.inputs[name] = parse_upload(part.kind, bytes(part.data), part.media_type)
            except ValueError as error:
                wanted.errors.append(FieldError(name, str(error)))

    def _limit(self, name: str) -> int:
        hints = self._properties[name].get("x-ovd", {})
        if hints.get("kind") in (*_FILES, *_PARSED):
            return int(hints.get("max_bytes") or USUAL_LIMIT)
        return LARGEST_JSON if name in MEMBERS else 0

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
        self._count += 1
        if self._count > MOST_PARTS:
            raise BadRequest(f"The multipart request has more than {MOST_PARTS} parts.")
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
        media_type = self._headers.get(b"content-type", b"").decode("latin-1")
        part = Part(name, _base_name(options.get(b"filename", b"")), media_type, LARGEST_JSON)
        self._part = part
        prop = self._properties.get(name)
        kind = prop.get("x-ovd", {}).get("kind", "") if prop else ""
        if name in self.parts:
            self.errors.append(FieldError(name, "was sent twice."))
        elif kind in (*_FILES, *_PARSED):
            part.kind, part.limit = kind, self._limit(name)
            part.writer = Writer() if kind in _FILES else None
        elif name in MEMBERS:
            return
        elif prop is not None:
            message = f'is a {kind}; put it into the JSON part "inputs".'
            self.errors.append(FieldError(name, message))
        else:
            message = f"is not an input.{did_you_mean(name, [*MEMBERS, *self._properties])}"
            self.errors.append(FieldError(name, message))
        if self.errors and self.errors[-1].field == name:
            part.limit = 0  # read past it
            part.kind = ""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part.take(data[start:end])

    def _on_part_end(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        is_empty_choice = part.kind in (*_FILES, *_PARSED) and part.size == 0 and not part.file_name
        if is_empty_choice or part.name in self.parts or (part.limit == 0 and not part.kind):
            if part.writer is not None:
                part.writer.abort()
            return
        self.parts[part.name] = part

    def _on_end(self) -> None:
        self._is_whole = True


def _base_name(raw: bytes) -> str:
    name = raw.decode(errors="replace").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in name if character.isprintable())[:255]


def _truth(raw: bytes) -> Any:
    """What a box of a form, or JSON, says; any other text stays one."""
    text = raw.decode(errors="replace").strip()
    return {"true": True, "on": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}.get(
        text.lower(), text
    )


def _number_or_text(raw: bytes) -> Any:
    text = raw.decode(errors="replace").strip()
    try:
        return float(text)
    except ValueError:
        return text.strip('"')
