"""Finished executions: rows of `store_execution` that are written once, and as PostgreSQL is given them. Floor 1."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from struct import Struct
from typing import Any
from uuid import UUID

import orjson

Parameters = list[bytes | None]


@dataclass(slots=True)
class FinishedExecution:
    """A row of `store_execution` that is inserted once, with its final state. Names are those of the record."""

    id: UUID
    application_id: int
    release_id: int
    process: UUID
    status: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    log: str
    seed: int
    progress: Mapping[str, Any] | None
    digests: Mapping[str, Any]
    hardware: Mapping[str, Any]
    created_at: datetime
    started_at: datetime
    finished_at: datetime
    deadline_at: datetime | None
    seconds: float | None  # in the application
    caller: str
    created_by_id: int | None
    cause: Mapping[str, Any]
    request_digest: str
    model_id: int | None = None
    consent: bool = False
    attempts: int = 1
    lease: int = 1


_TEXT, _BINARY = 0, 1  # formats of PostgreSQL's protocol
_NUMBER = Struct(">q").pack
_FLOAT = Struct(">d").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's


def _moment(at: datetime) -> bytes:
    since = at - _EPOCH
    return _NUMBER((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _uuid(value: UUID) -> bytes:
    return value.bytes


def _truth(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


_FORMS: dict[str, tuple[str, int, Callable[[Any], bytes]]] = {  # type, format, and how a value becomes it
    "uuid": ("uuid", _BINARY, _uuid),
    "number": ("bigint", _BINARY, _NUMBER),
    "float": ("float8", _BINARY, _FLOAT),
    "truth": ("boolean", _BINARY, _truth),
    "moment": ("timestamptz", _BINARY, _moment),
    "text": ("text", _TEXT, str.encode),
    "json": ("jsonb", _TEXT, orjson.dumps),
}
_COLUMNS = {
    "id": "uuid",
    "application_id": "number",
    "release_id": "number",
    "process": "uuid",
    "status": "text",
    "inputs": "json",
    "outputs": "json",
    "error": "json",
    "log": "text",
    "seed": "number",
    "progress": "json",
    "digests": "json",
    "hardware": "json",
    "created_at": "moment",
    "started_at": "moment",
    "finished_at": "moment",
    "deadline_at": "moment",
    "seconds": "float",
    "caller": "text",
    "created_by_id": "number",
    "cause": "json",
    "request_digest": "text",
    "model_id": "number",
    "consent": "truth",
    "attempts": "number",
    "lease": "number",
}
FORMATS = [_FORMS[form][1] for form in _COLUMNS.values()]
_WRITERS = [(name, _FORMS[form][2]) for name, form in _COLUMNS.items()]


def parameters(row: FinishedExecution) -> Parameters:
    """One for each column, as FORMATS says. Raises TypeError, ValueError, OverflowError: it cannot be stored."""
    written: Parameters = []
    for name, write in _WRITERS:
        value = getattr(row, name)
        written.append(None if value is None else write(value))
    return written


def insert(count: int) -> str:
    """The statement that inserts so many rows, each with all its parameters; one that is there already stays."""
    types = [_FORMS[form][0] for form in _COLUMNS.values()]
    width = len(types)
    rows = (
        ", ".join(f"${place * width + column}::{kind}" for column, kind in enumerate(types, start=1))
        for place in range(count)
    )
    values = ", ".join(f"({row})" for row in rows)
    return f"INSERT INTO store_execution ({', '.join(_COLUMNS)}) VALUES {values} ON CONFLICT (id) DO NOTHING"  # noqa: S608
