"""Triggers: what made learning due and what did not, notices that new data arrived, pause and resume. Floor 3."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Cursor, Limit, Text
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore import access, triggers
from ovd_saas.store.queries import triggers as queries
from ovd_saas.store.records import Application, Lookout, TriggerEvaluation

router = Router(tags=["learning"])

Kind = Literal["schedule", "data", "notice", "drift", "manual"]
Decision = Literal["due", "waits", "skipped"]
_EXAMPLE: dict[str, Any] = {
    "id": "4711",
    "kind": "data",
    "decision": "due",
    "reason": "Due: 112 new samples have arrived, of 100 needed.",
    "cause": "batches 12-17",
    "learning_run": {"id": "019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f", "number": 4},
    "again_at": None,
    "at": "2026-03-01T12:00:00Z",
}


class MadeDue(Answer):
    """The learning run that was made due."""

    id: str
    number: int


class EvaluationShape(Answer):
    """One look at whether learning is due. Each is a new row only when it says something new."""

    model_config = ConfigDict(title="TriggerEvaluation", json_schema_extra={"example": _EXAMPLE})

    id: str
    kind: Kind
    decision: Decision = Field(
        description="`due`: a run was made; `waits`: it is looked at again; `skipped`: what is there is not enough."
    )
    reason: str = Field(description="A sentence.")
    cause: str | None = Field(description="What was looked at: batches 12-17, cron 2026-03-01T03:00+01:00, …")
    learning_run: MadeDue | None = Field(description="The run that it made due; several may have made the same one.")
    again_at: datetime | None = Field(
        description="When it is looked at again by itself; null with `waits`: as soon as what is in its way has ended."
    )
    at: datetime


class EvaluationPage(Answer):
    items: list[EvaluationShape]
    next: str | None


class NewNotice(Body):
    source: Text | None = Field(
        None, max_length=500, description="The address of a source that the manifest declares; it is pulled now."
    )
    note: Text = Field("", max_length=500, description="Why, for the record.")


class Noticed(Answer):
    """What came of a notice."""

    evaluation: EvaluationShape


class NewPause(Body):
    reason: Text = Field("", max_length=300, description="Why, for everybody who wonders that it does not learn.")


class PauseShape(Answer):
    """Since then nothing but a person makes it learn."""

    at: datetime
    by: str
    reason: str


class TriggersShape(Answer):
    """Whether what makes an application learn is looked at, and what is next."""

    model_config = ConfigDict(title="Triggers")

    paused: PauseShape | None
    next: str | None = Field(description="What makes it learn next, a sentence; null while a run is open.")
    next_at: datetime | None


def describe(row: TriggerEvaluation) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "decision": row.decision,
        "reason": row.reason,
        "cause": row.cause or None,
        "learning_run": {"id": str(row.run.pk), "number": row.run.number} if row.run else None,
        "again_at": row.again_at,
        "at": row.at,
    }


@router.get(
    "/applications/{slug:org}/{slug:name}/triggers",
    response=EvaluationPage,
    summary="Trigger evaluations, newest first",
)
def list_triggers(
    request: Request,
    org: str,
    name: str,
    kind: Annotated[Kind | None, Query(description="Only these.")] = None,
    decision: Annotated[Decision | None, Query(description="Only these.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """What made learning due, what waits and for what, and what was not enough."""
    application = lookups.application(request, org, name)
    page = queries.of(application, before=cursor, limit=limit, kind=kind, decision=decision)
    return {"items": [describe(row) for row in page.items], "next": page.next}


@router.post(
    "/applications/{slug:org}/{slug:name}/notify", response={202: Noticed}, summary="Say that new data arrived"
)
def notify(request: Request, org: str, name: str, new: NewNotice | None = None) -> Status[dict[str, Any]]:
    """With a `source`, that is pulled, and what it brings counts as new data. Without one, learning is due as soon as
    nothing is in its way. 409 when the application does not learn; 422 when its manifest declares no such source."""
    evaluation = triggers.notice(
        application=lookups.application(request, org, name, access.EXECUTE),
        by=request.auth.actor,
        note=new.note.strip() if new else "",
        source=new.source if new else None,
        now=timezone.now(),
    )
    return Status(202, {"evaluation": describe(evaluation)})


@router.post(
    "/applications/{slug:org}/{slug:name}/triggers/pause",
    response=TriggersShape,
    summary="Let only people make it learn",
)
def pause(request: Request, org: str, name: str, new: NewPause | None = None) -> dict[str, Any]:
    """Data, schedule, drift and notices are put off until somebody resumes; a run that is open goes on. 409 when it is
    paused already, or the application does not learn. By operators and owners."""
    application = lookups.application(request, org, name, access.OPERATE)
    reason = new.reason.strip() if new else ""
    triggers.pause(application=application, by=request.auth.actor, reason=reason, now=timezone.now())
    return _state(application)


@router.post(
    "/applications/{slug:org}/{slug:name}/triggers/resume", response=TriggersShape, summary="Learn by itself again"
)
def resume(request: Request, org: str, name: str) -> dict[str, Any]:
    """What came meanwhile is looked at now; moments of the schedule that passed are not made up for. 409 when it is not
    paused. By operators and owners."""
    application = lookups.application(request, org, name, access.OPERATE)
    triggers.resume(application=application, by=request.auth.actor, now=timezone.now())
    return _state(application)


def _state(application: Application) -> dict[str, Any]:
    found = Lookout.objects.get(application=application)
    paused = queries.paused(found)
    return {
        "paused": {"at": paused.at, "by": paused.by, "reason": paused.reason} if paused else None,
        "next": found.next_what or None,
        "next_at": found.next_at,
    }
