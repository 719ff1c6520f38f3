"""Learning runs: list, start, read, log, follow, cancel. Floor 3."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api import streams
from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Cursor, Limit, Text
from ovd_saas.api.streams import Event, News
from ovd_saas.api.v1 import lookups
from ovd_saas.api.v1.resuming import LAST_EVENT_ID, last_event_id
from ovd_saas.appcore import access, learning_runs
from ovd_saas.appcore.execution_view import moment
from ovd_saas.domain import learning_runs as states
from ovd_saas.store.queries import learning_runs as queries
from ovd_saas.store.records import LearningRun, Snapshot

router = Router(tags=["learning"])

State = Literal["queued", "running", "paused", "evaluating", "awaiting", "promoted", "rejected", "failed", "cancelled"]
EXAMPLE: dict[str, Any] = {
    "id": "019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f",
    "number": 4,
    "application": "acme/water-flow",
    "status": "promoted",
    "trigger": "data",
    "cause": "batches 12-17",
    "reason": "It passed the gate.",
    "release": 3,
    "parent": 3,
    "snapshot": {
        "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "batches": [1, 17],
        "samples": 5712,
        "train": 4569,
        "holdout": 1143,
    },
    "candidate": 4,
    "progress": None,
    "metrics": {"loss": 0.031},
    "gate": {
        "passed": True,
        "sentence": "mae 3.41 is 0.22 lower than 3.63 of version 3 (95 % sure of at least 0.09); 0.05 were asked for.",
    },
    "error": None,
    "seed": 7,
    "attempts": 1,
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "appcore",
    "started_at": "2026-03-01T12:00:00.210Z",
    "finished_at": "2026-03-01T12:00:09.480Z",
    "seconds": 7.9,
    "digests": {"release": "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"},
    "log_url": "/api/v1/learning-runs/019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f/log",
    "events_url": "/api/v1/learning-runs/019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f/events",
}
_FOLLOWED: dict[str, Any] = {
    "parameters": [LAST_EVENT_ID],
    "responses": {
        200: {
            "description": "Server-sent events: `status` {status, reason}, `started` {} when the application begins to "
            "learn or to be judged, `progress` {fraction, message}, "
            "`metric` {name, value, step}, `log` {stream, text}, `checkpoint` {size}, and at the end `done` with the "
            "learning run. A run whose candidate waits for a person is at its end.",
            "content": {
                streams.MEDIA_TYPE: {
                    "schema": {"type": "string"},
                    "example": 'id: 41\nevent: metric\ndata: {"name":"loss","value":0.12,"step":300}\n\n',
                }
            },
        },
        204: {"description": "The stream was read to its end before (Last-Event-ID)."},
    },
}
_LOG = {"responses": {200: {"description": "The log.", "content": {"text/plain": {"schema": {"type": "string"}}}}}}


class SnapshotShape(Answer):
    """What a run learned from: a frozen list of batches, split by the platform."""

    digest: str
    batches: list[int] = Field(description="Numbers of the first and the last batch; empty when it has none.")
    samples: int
    train: int = Field(description="Samples that the run learned from.")
    holdout: int = Field(description="Samples that the gate judged with.")


class LearningRunShape(Answer):
    """One run, asleep, that turns a snapshot and a parent model into a candidate."""

    model_config = ConfigDict(title="LearningRun", json_schema_extra={"example": EXAMPLE})

    id: str
    number: int = Field(description="Of this application: 1, 2, 3 …")
    application: str = Field(description="org/name")
    status: State
    trigger: Literal["schedule", "data", "notice", "drift", "manual"] = Field(description="What made it due.")
    cause: str = Field(description="What that was: batches, a moment of the schedule, a person.")
    reason: str = Field(description="Why it is as it is, a sentence.")
    release: int | None = Field(description="Number of the release that learns; null until it begins.")
    parent: int | None = Field(description="Number of the model version that was live when it began.")
    snapshot: SnapshotShape | None = Field(description="Frozen when it begins.")
    candidate: int | None = Field(description="Number of the model version that it made.")
    progress: dict[str, Any] | None = Field(description="{fraction: 0..1 or null, message}")
    metrics: dict[str, Any] = Field(description="What `learn` returned.")
    gate: dict[str, Any] | None = Field(description="The verdict: {passed, sentence, metric, candidate, active, …}")
    error: dict[str, Any] | None = Field(description="{code, message}: why it failed.")
    seed: int
    attempts: int = Field(description="How often it was begun.")
    created_at: datetime
    created_by: str = Field(description="user:ana or appcore")
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None = Field(description="In `learn`.")
    digests: dict[str, Any] = Field(
        description="Of what it needs to be done again: release, environment, data, parent."
    )
    log_url: str
    events_url: str


class LearningRunPage(Answer):
    items: list[LearningRunShape]
    next: str | None


class NewLearningRun(Body):
    note: Text = Field("", max_length=500, description="Why, for the timeline.")


def describe(run: LearningRun) -> dict[str, Any]:
    return describe_all([run])[0]


def describe_all(runs: Iterable[LearningRun]) -> list[dict[str, Any]]:
    runs = list(runs)
    batches = queries.bounds(run.snapshot_id for run in runs)
    return [_shape(run, batches) for run in runs]


def _shape(run: LearningRun, batches: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    place = address(run.pk)
    return {
        "id": str(run.pk),
        "number": run.number,
        "application": run.application.address,
        "status": run.status,
        "trigger": run.trigger,
        "cause": run.cause,
        "reason": run.reason,
        "release": run.release.number if run.release else None,
        "parent": run.parent.number if run.parent else None,
        "snapshot": of_snapshot(run.snapshot, batches),
        "candidate": run.candidate.number if run.candidate else None,
        "progress": run.progress,
        "metrics": run.metrics,
        "gate": {name: value for name, value in run.gate.items() if name != "compared"} if run.gate else None,
        "error": run.error,
        "seed": run.seed,
        "attempts": run.attempts,
        "created_at": moment(run.created_at),
        "created_by": run.created_by,
        "started_at": moment(run.started_at),
        "finished_at": moment(run.finished_at),
        "seconds": run.seconds,
        "digests": run.digests,
        "log_url": f"{place}/log",
        "events_url": f"{place}/events",
    }


def of_snapshot(found: Snapshot | None, batches: Mapping[int, tuple[int, int]]) -> dict[str, Any] | None:
    """`batches`: the numbers of the first and the last one, by the id of the snapshot."""
    if found is None:
        return None
    return {
        "digest": found.digest,
        "batches": list(batches.get(found.pk, ())),
        "samples": found.samples,
        "train": found.train,
        "holdout": found.holdout,
    }


def address(id_: UUID) -> str:
    """Where this API answers for a run."""
    return f"/api/v1/learning-runs/{id_}"


@router.get(
    "/applications/{slug:org}/{slug:name}/learning-runs",
    response=LearningRunPage,
    summary="Learning runs, newest first",
)
def list_learning_runs(
    request: Request,
    org: str,
    name: str,
    status: Annotated[list[State], Query(description="Only these; may be repeated.")] = [],  # noqa: B006 - ninja copies it
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    page = queries.recent(lookups.application(request, org, name), before=cursor, limit=limit, statuses=status)
    return {"items": describe_all(page.items), "next": page.next}


@router.post(
    "/applications/{slug:org}/{slug:name}/learning-runs",
    response={202: LearningRunShape},
    summary="Learn now",
)
def learn(
    request: Request, response: HttpResponse, org: str, name: str, new: NewLearningRun | None = None
) -> Status[dict[str, Any]]:
    """Makes learning due, whatever the triggers say. 409 when a run is open already, or when the application does not
    learn. By operators and owners."""
    note = new.note.strip() if new else ""
    run = learning_runs.submit(
        application=lookups.application(request, org, name, access.OPERATE),
        trigger="manual",
        cause=request.auth.actor,
        reason=f"{request.auth.username} asked for it" + (f": {note}" if note else "."),
        by=request.auth.actor,
        now=timezone.now(),
    )
    response["Location"] = address(run.pk)
    return Status(202, describe(lookups.learning_run(request, run.pk)))


@router.get("/learning-runs/{uuid:run_id}", response=LearningRunShape, summary="One learning run")
def read_learning_run(request: Request, run_id: UUID) -> dict[str, Any]:
    return describe(lookups.learning_run(request, run_id))


@router.get("/learning-runs/{uuid:run_id}/log", summary="What a learning run printed", openapi_extra=_LOG)
def read_learning_log(request: Request, run_id: UUID) -> HttpResponse:
    """Up to now, when it is not over."""
    text = queries.log(lookups.learning_run(request, run_id).pk)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


@router.post("/learning-runs/{uuid:run_id}/cancel", response=LearningRunShape, summary="Cancel a learning run")
def cancel_learning_run(request: Request, run_id: UUID) -> dict[str, Any]:
    """What is live stays live, and what the run was the first to take is pending again. 409 when it is over. By
    operators and owners."""
    lookups.learning_run(request, run_id, access.OPERATE)
    learning_runs.cancel(run_id=run_id, by=request.auth.actor, now=timezone.now())
    return describe(lookups.learning_run(request, run_id))


@router.get("/learning-runs/{uuid:run_id}/events", summary="Follow a learning run", openapi_extra=_FOLLOWED)
def follow_learning_run(request: Request, run_id: UUID) -> HttpResponseBase:
    """Server-sent events from the beginning, or after `Last-Event-ID`; ends after `done`."""
    run = lookups.learning_run(request, run_id)
    after = last_event_id(request)
    if run.status not in states.OPEN and not news(run_id, after).events:
        return streams.over()
    return streams.answer(
        lambda last: news(run_id, last),
        after=after,
        wanted=lambda notice: notice["about"] == "learning" and notice.get("run") == str(run_id),
    )


def news(run_id: UUID, after: int) -> News:
    """What happened after the event `after`. The run is read first: its last events were committed with it."""
    run = queries.by_id(run_id)
    if run is None:
        return News([], is_over=True)
    rows = queries.events_after(run_id, after)
    told = [Event(row.pk, row.kind, row.body) for row in rows]
    if len(rows) == queries.MOST:
        return News(told, is_more=True)
    if run.status in states.OPEN:
        return News(told)
    done = Event(queries.last_event_id(run_id) + 1, "done", describe(run))
    return News([*told, done] if done.id > after else told, is_over=True)
