"""The view of an execution: the one shape in which every door shows it (API.md). Floor 2."""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from ovd_saas.store.records import Execution


class Row(Protocol):
    """What an execution's record and an entry of the journal have in common."""

    @property
    def id(self) -> UUID: ...
    @property
    def status(self) -> str: ...
    @property
    def inputs(self) -> Any: ...
    @property
    def outputs(self) -> Any: ...
    @property
    def error(self) -> Any: ...
    @property
    def digests(self) -> Any: ...
    @property
    def seed(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def progress(self) -> Any: ...
    @property
    def cause(self) -> Any: ...


def address(id_: UUID) -> str:
    """Where the API answers for it."""
    return f"/api/v1/executions/{id_}"


def view(
    row: Row,
    *,
    application: str,
    release: int | None,
    model: int | None,
    queue_position: int | None = None,
    taken_down_at: datetime | None = None,
) -> dict[str, Any]:
    """JSON of an execution. `application` is `org/name`, `release` and `model` the numbers of those that ran it."""
    place = address(row.id)
    return {
        "id": str(row.id),
        "application": application,
        "status": row.status,
        "inputs": with_urls(row.inputs, place),
        "outputs": with_urls(row.outputs, place),
        "error": row.error,
        "release": release,
        "model": model,
        "digests": row.digests,
        "seed": row.seed,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "seconds": row.seconds,
        "progress": row.progress,
        "cause": row.cause,
        "queue_position": queue_position,
        "taken_down_at": moment(taken_down_at),
    }


def of_record(execution: Execution, *, queue_position: int | None = None) -> dict[str, Any]:
    """The view of a record; read it with `select_related("application__organisation", "release", "model")`."""
    release = execution.release.number if execution.release else None
    return view(
        execution,
        application=execution.application.address,
        release=release,
        model=execution.model.number if execution.model else None,
        queue_position=queue_position,
        taken_down_at=execution.taken_down_at,
    )


def with_urls(values: Any, place: str) -> Any:
    """Inputs or outputs, where each file says where its bytes are."""
    if not values or not any(type(value) is dict and "digest" in value for value in values.values()):
        return values
    return {name: _with_url(value, place) for name, value in values.items()}


def _with_url(value: Any, place: str) -> Any:
    if isinstance(value, dict) and "digest" in value and "media_type" in value:
        return {**value, "url": f"{place}/files/{value['digest']}"}
    return value


def moment(at: datetime | None) -> str | None:
    """RFC 3339, UTC."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")
