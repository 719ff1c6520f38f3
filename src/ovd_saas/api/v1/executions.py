"""Executions: list, read, cancel, take down. The gateway answers POST A/executions itself. Floor 3."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Cursor, Limit
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore import execution_view, executions
from ovd_saas.store.queries import executions as queries
from ovd_saas.store.records import Execution

router = Router(tags=["executions"])

State = Literal["queued", "running", "succeeded", "failed", "rejected", "cancelled", "expired"]

_EXAMPLE: dict[str, Any] = {
    "id": "019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f",
    "application": "acme/line-segments",
    "status": "succeeded",
    "inputs": {
        "scale": 0.8,
        "photo": {
            "name": "coins.png",
            "media_type": "image/png",
            "size": 75825,
            "digest": "sha256:f8d773fc9cfa6a4d8a0a4a5d3a6f0b1e4a4a1e0c4f2c3f0b7d8e9a0b1c2d3e4f",
            "url": "/api/v1/executions/019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f/files/sha256:f8d773fc9cfa6a4d8a0a4a5d3a6f"
            "0b1e4a4a1e0c4f2c3f0b7d8e9a0b1c2d3e4f",
        },
    },
    "outputs": {"segments": 412},
    "error": None,
    "release": 3,
    "model": None,
    "digests": {"release": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    "seed": 7,
    "created_at": "2026-03-01T12:00:00Z",
    "started_at": "2026-03-01T12:00:00.004Z",
    "finished_at": "2026-03-01T12:00:00.120Z",
    "seconds": 0.11,
    "progress": None,
    "cause": {"kind": "api"},
    "queue_position": None,
    "taken_down_at": None,
}


class ExecutionShape(Answer):
    """One run for somebody, on given inputs. Files are {name, media_type, size, digest, url}."""

    model_config = ConfigDict(title="Execution", extra="allow", json_schema_extra={"example": _EXAMPLE})

    id: str
    application: str = Field(description="org/name")
    status: State
    inputs: dict[str, Any]
    outputs: dict[str, Any] | None
    error: dict[str, Any] | None = Field(description="{code, message}: why it did not succeed.")
    release: int | None = Field(description="Number of the release that ran it.")
    model: int | None = Field(description="Number of the model version that it used, if any.")
    digests: dict[str, Any] = Field(description="What is needed to verify it: release, environment, inputs, outputs.")
    seed: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None = Field(description="In the application.")
    progress: dict[str, Any] | None = Field(description="{fraction: 0..1 or null, message}")
    cause: dict[str, Any]
    queue_position: int | None = Field(None, description="Its place in the queue, 1 = next, while it waits.")
    taken_down_at: datetime | None = Field(None, description="Its inputs, outputs and log were removed then.")


class ExecutionPage(Answer):
    items: list[ExecutionShape]
    next: str | None


def describe(execution: Execution) -> dict[str, Any]:
    return execution_view.of_record(execution, queue_position=queries.position(execution))


@router.get(
    "/applications/{slug:org}/{slug:name}/executions",
    response=ExecutionPage,
    summary="Executions, newest first",
)
def list_executions(
    request: Request,
    org: str,
    name: str,
    status: Annotated[list[State], Query(description="Only these; may be repeated.")] = [],  # noqa: B006 - ninja copies it
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    page = queries.recent(lookups.application(request, org, name), before=cursor, limit=limit, statuses=status)
    places = queries.positions(page.items)
    items = [execution_view.of_record(row, queue_position=places.get(row.pk)) for row in page.items]
    return {"items": items, "next": page.next}


@router.get("/executions/{uuid:execution_id}", response=ExecutionShape, summary="One execution")
def read_execution(request: Request, execution_id: UUID) -> dict[str, Any]:
    return describe(lookups.execution(request, execution_id))


@router.post("/executions/{uuid:execution_id}/cancel", response=ExecutionShape, summary="Cancel")
def cancel(request: Request, execution_id: UUID) -> dict[str, Any]:
    """By whoever made it, operators and owners. 409 when it is finished."""
    lookups.execution(request, execution_id, to_end=True)
    executions.cancel(execution_id=execution_id, by=request.auth.actor, now=timezone.now())
    return describe(lookups.execution(request, execution_id))


@router.delete("/executions/{uuid:execution_id}", response={204: None}, summary="Take down")
def take_down(request: Request, execution_id: UUID) -> Status[None]:
    """Inputs, outputs and log are removed for good; who, when, what code and which digests stay. By whoever made it,
    operators and owners. 409 while it is not finished."""
    lookups.execution(request, execution_id, to_end=True)
    executions.take_down(execution_id=execution_id, by=request.auth.actor, now=timezone.now())
    return Status(204, None)
