"""The execution as every door shows it: one JSON object. Floor 2; asks the database nothing that is loaded already."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ovd_saas.store.records import Execution


def describe(execution: Execution, *, position: int | None = None) -> dict[str, Any]:
    """The execution of API v1, of JSON values only.

    Needs `application.organisation` and `release`. `position` is its place in the queue, 1 = next, while it waits.
    Moments are RFC 3339 in UTC, `seconds` is the time in the application, files carry the `url` of their bytes.
    """
    return {
        "id": str(execution.pk),
        "application": execution.application.address,
        "status": execution.status,
        "inputs": value(execution.pk, execution.inputs),
        "outputs": value(execution.pk, execution.outputs),
        "error": execution.error,
        "release": execution.release.number if execution.release else None,
        "model": execution.digests.get("model"),
        "digests": execution.digests,
        "seed": execution.seed,
        "created_at": moment(execution.created_at),
        "started_at": moment(execution.started_at),
        "finished_at": moment(execution.finished_at),
        "deadline": moment(execution.deadline_at),
        "seconds": execution.seconds,
        "progress": execution.progress,
        "position": position,
        "attempts": execution.attempts,
        "hardware": execution.hardware,
        "cause": execution.cause,
        "taken_down_at": moment(execution.taken_down_at),
        "url": f"/api/v1/executions/{execution.pk}",
    }


def value(execution_id: UUID, stored: Any) -> Any:
    """A stored value with the address of each file in it."""
    if isinstance(stored, list):
        return [value(execution_id, part) for part in stored] if _holds_parts(stored) else stored
    if not isinstance(stored, dict):
        return stored
    if is_file(stored):
        return {**stored, "url": f"/api/v1/executions/{execution_id}/files/{stored['digest']}"}
    return {name: value(execution_id, part) for name, part in stored.items()}


def is_file(stored: dict[str, Any]) -> bool:
    """Whether it is {name, media_type, size, digest}."""
    return isinstance(stored.get("digest"), str) and "media_type" in stored and "size" in stored


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def _holds_parts(stored: list[Any]) -> bool:
    """Long lists of numbers, as in series, are not walked: their first element tells."""
    return bool(stored) and isinstance(stored[0], dict | list)
