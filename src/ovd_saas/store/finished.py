"""Finished executions: rows of `store_execution` that are written once, and as PostgreSQL is given them. Floor 1."""

from collections.abc import Mapping
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
_number = Struct(">q").pack
_float = Struct(">d").pack
_json = orjson.dumps
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's
_COLUMNS = {  # in the order of `parameters`
    "id": ("uuid", _BINARY),
    "application_id": ("bigint", _BINARY),
    "release_id": ("bigint", _BINARY),
    "process": ("uuid", _BINARY),
    "status": ("text", _TEXT),
    "inputs": ("jsonb", _TEXT),
    "outputs": ("jsonb", _TEXT),
    "error": ("jsonb", _TEXT),
    "log": ("text", _TEXT),
    "seed": ("bigint", _BINARY),
    "progress": ("jsonb", _TEXT),
    "digests": ("jsonb", _TEXT),
    "hardware": ("jsonb", _TEXT),
    "created_at": ("timestamptz", _BINARY),
    "started_at": ("timestamptz", _BINARY),
    "finished_at": ("timestamptz", _BINARY),
    "deadline_at": ("timestamptz", _BINARY),
    "seconds": ("float8", _BINARY),
    "caller": ("text", _TEXT),
    "created_by_id": ("bigint", _BINARY),
    "cause": ("jsonb", _TEXT),
    "request_digest": ("text", _TEXT),
    "model_id": ("bigint", _BINARY),
    "consent": ("boolean", _BINARY),
    "attempts": ("bigint", _BINARY),
    "lease": ("bigint", _BINARY),
}
FORMATS = [form for _, form in _COLUMNS.values()]


def parameters(row: FinishedExecution) -> Parameters:
    """One for each column, as FORMATS says. Raises TypeError, ValueError, struct.error: it cannot be stored."""
    return [
        row.id.bytes,
        _number(row.application_id),
        _number(row.release_id),
        row.process.bytes,
        row.status.encode(),
        _json(row.inputs),
        None if row.outputs is None else _json(row.outputs),
        None if row.error is None else _json(row.error),
        row.log.encode(),
        _number(row.seed),
        None if row.progress is None else _json(row.progress),
        _json(row.digests),
        _json(row.hardware),
        _moment(row.created_at),
        _moment(row.started_at),
        _moment(row.finished_at),
        None if row.deadline_at is None else _moment(row.deadline_at),
        None if row.seconds is None else _float(row.seconds),
        row.caller.encode(),
        None if row.created_by_id is None else _number(row.created_by_id),
        _json(row.cause),
        row.request_digest.encode(),
        None if row.model_id is None else _number(row.model_id),
        b"\x01" if row.consent else b"\x00",
        _number(row.attempts),
        _number(row.lease),
    ]


def _moment(at: datetime) -> bytes:
    since = at - _EPOCH
    return _number((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def insert(count: int) -> str:
    """The statement that inserts so many rows, each with all its parameters; one that is there already stays."""
    types = [kind for kind, _ in _COLUMNS.values()]
    width = len(types)
    rows = (
        ", ".join(f"${place * width + column}::{kind}" for column, kind in enumerate(types, start=1))
        for place in range(count)
    )
    values = ", ".join(f"({row})" for row in rows)
    return f"INSERT INTO store_execution ({', '.join(_COLUMNS)}) VALUES {values} ON CONFLICT (id) DO NOTHING"  # noqa: S608
