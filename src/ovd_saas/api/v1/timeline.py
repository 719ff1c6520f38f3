"""The timeline of an application. Floor 3."""

from datetime import datetime
from typing import Any

from ninja import Router
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Cursor, Limit
from ovd_saas.api.v1 import lookups
from ovd_saas.store.queries import timeline
from ovd_saas.store.records import Transition

router = Router(tags=["applications"])


class TransitionShape(Answer):
    """One change of a state."""

    model_config = ConfigDict(
        title="Transition",
        populate_by_name=True,
        json_schema_extra={
            "example": {
                "id": "812",
                "region": "service",
                "from": "asleep",
                "to": "waking",
                "event": "wake",
                "reason": "1 execution waits.",
                "cause": "execution:019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f",
                "actor": "appcore",
                "at": "2026-03-01T12:00:00Z",
            }
        },
    )

    id: str
    region: str = Field(description="status, service, learning, health, release, model or network")
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    event: str
    reason: str
    cause: str | None = Field(description="What caused it: execution:…, release:3, process:…")
    actor: str = Field(description="user:ana or appcore")
    at: datetime


class Timeline(Answer):
    items: list[TransitionShape]
    next: str | None


@router.get(
    "/applications/{slug:org}/{slug:name}/timeline",
    response=Timeline,
    by_alias=True,
    summary="Every change of a state, newest first",
)
def read_timeline(request: Request, org: str, name: str, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    page = timeline.of(lookups.application(request, org, name), before=cursor, limit=limit)
    return {"items": [_describe(row) for row in page.items], "next": page.next}


def _describe(row: Transition) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "region": row.region,
        "from": row.source,
        "to": row.target,
        "event": row.event,
        "reason": row.reason,
        "cause": row.cause or None,
        "actor": row.actor,
        "at": row.at,
    }
