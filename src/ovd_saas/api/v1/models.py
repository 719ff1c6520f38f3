"""Model versions: list, read, download, promote, reject, roll back, and what was live when. Floor 3."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api import downloads, moments, preferences
from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Cursor, Limit, Text
from ovd_saas.api.v1 import learning_runs, lookups
from ovd_saas.api.v1.learning_runs import SnapshotShape
from ovd_saas.appcore import access, models
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import models as states
from ovd_saas.store.queries import learning_runs as run_queries
from ovd_saas.store.queries import models as queries
from ovd_saas.store.records import ModelVersion

router = Router(tags=["learning"])

USUAL_WAIT = 10.0  # seconds that a version is given to become live before the answer says that it is not yet
LOOK_SECONDS = 0.05

State = Literal["candidate", "active", "rejected", "retired"]
_DIGEST = "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
_PROMOTED: dict[str, Any] = {
    "kind": "promote",
    "at": "2026-03-01T12:00:09.480Z",
    "until": None,
    "actor": "gate",
    "reason": "mae 3.41 is 0.22 lower than 3.63 of version 3.",
}
EXAMPLE: dict[str, Any] = {
    "number": 4,
    "application": "acme/water-flow",
    "status": "active",
    "digest": _DIGEST,
    "size": 48640,
    "metrics": {"mae": 3.41},
    "parent": 3,
    "release": 3,
    "learning_run": {"id": learning_runs.EXAMPLE["id"], "number": 4},
    "snapshot": learning_runs.EXAMPLE["snapshot"],
    "reason": "It passed the gate.",
    "created_at": "2026-03-01T12:00:08.110Z",
    "live": True,
    "promotions": [_PROMOTED],
    "archive_url": "/api/v1/applications/acme/water-flow/models/4/archive",
}
_ARCHIVE: dict[str, Any] = {
    "responses": {
        **downloads.DOCUMENTED["responses"],
        200: {
            "description": "The folder as an uncompressed tar; `Repr-Digest` has its SHA-256, `ETag` its digest.",
            "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
        },
    }
}
_SWAP = {"parameters": [preferences.documented(USUAL_WAIT)]}


class DidNotStart(Refusal):
    """No process of the version became ready, so what was live stays live."""

    code = "did_not_start"


class PromotionShape(Answer):
    """A row of the ledger: from `at` to `until` the version was live."""

    model_config = ConfigDict(title="Promotion", json_schema_extra={"example": _PROMOTED})

    kind: Literal["promote", "rollback"]
    at: datetime
    until: datetime | None = Field(description="null: it is the last row, and live.")
    actor: str = Field(description="user:ana, gate or bake")
    reason: str


class RunReference(Answer):
    id: str
    number: int


class ModelShape(Answer):
    """A model version: an immutable learned folder, and its origin."""

    model_config = ConfigDict(title="Model", json_schema_extra={"example": EXAMPLE})

    number: int = Field(description="Of this application: 1, 2, 3 …")
    application: str = Field(description="org/name")
    status: State
    digest: str = Field(description="Of the tar of its folder; executions name it.")
    size: int = Field(description="Bytes of the tar.")
    metrics: dict[str, Any] = Field(description="What `evaluate` gave on the holdout.")
    parent: int | None = Field(description="Number of the version that it was learned from.")
    release: int = Field(description="Number of the release that learned it.")
    learning_run: RunReference | None
    snapshot: SnapshotShape | None = Field(description="What it was learned from.")
    reason: str = Field(description="Why it is as it is: the gate's verdict, a person …")
    created_at: datetime
    live: bool
    promotions: list[PromotionShape] = Field(description="When it was live, oldest first.")
    archive_url: str


class ModelPage(Answer):
    items: list[ModelShape]
    next: str | None


class LiveShape(Answer):
    """What was live at a moment; `model` and `promotion` are null before the first promotion."""

    model_config = ConfigDict(
        title="Live",
        json_schema_extra={"example": {"at": "2026-03-02T00:00:00Z", "model": EXAMPLE, "promotion": _PROMOTED}},
    )

    at: datetime
    model: ModelShape | None
    promotion: PromotionShape | None = Field(description="The row of the ledger that was in force.")


class Why(Body):
    reason: Text = Field("", max_length=1000, description="For the ledger.")


class Rollback(Why):
    to: int | None = Field(
        None, ge=1, strict=True,
        description="Number of a version that was live; else the one that was live before the present one.",
    )  # fmt: skip


def describe(model: ModelVersion) -> dict[str, Any]:
    return describe_all([model])[0]


def describe_all(found: Iterable[ModelVersion]) -> list[dict[str, Any]]:
    rows = list(found)
    batches = run_queries.bounds(row.snapshot_id for row in rows)
    stretches = queries.stretches_of(rows)
    return [
        {
            "number": row.number,
            "application": row.application.address,
            "status": row.state,
            "digest": row.digest,
            "size": row.size,
            "metrics": row.metrics,
            "parent": row.parent.number if row.parent else None,
            "release": row.release.number,
            "learning_run": {"id": str(row.run.pk), "number": row.run.number} if row.run else None,
            "snapshot": learning_runs.of_snapshot(row.snapshot, batches),
            "reason": row.reason,
            "created_at": row.created_at,
            "live": row.state == states.ACTIVE,
            "promotions": [_promotion(stretch) for stretch in stretches[row.pk]],
            "archive_url": f"{address(row)}/archive",
        }
        for row in rows
    ]


def _promotion(stretch: queries.Stretch) -> dict[str, Any]:
    row = stretch.promotion
    return {"kind": row.kind, "at": row.at, "until": stretch.until, "actor": row.actor, "reason": row.reason}


def address(model: ModelVersion) -> str:
    """Where this API answers for a version."""
    return f"/api/v1/applications/{model.application.address}/models/{model.number}"


@router.get("/applications/{slug:org}/{slug:name}/models", response=ModelPage, summary="Model versions, newest first")
def list_models(
    request: Request,
    org: str,
    name: str,
    status: Annotated[list[State], Query(description="Only these; may be repeated.")] = [],  # noqa: B006 - ninja copies it
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    page = queries.recent(lookups.application(request, org, name), before=cursor, limit=limit, only=status)
    return {"items": describe_all(page.items), "next": page.next}


@router.get(
    "/applications/{slug:org}/{slug:name}/models/live", response=LiveShape, summary="What is live, or was at a moment"
)
def read_live(
    request: Request,
    org: str,
    name: str,
    at: Annotated[
        str | None, Query(description="RFC 3339 with its zone, such as 2026-03-01T12:00:00Z; else now.", max_length=100)
    ] = None,
) -> dict[str, Any]:
    """The ledger's answer for any moment: the moment of a promotion belongs to the new version, and a moment that is
    to come to what is live now."""
    application = lookups.application(request, org, name)
    moment = timezone.now() if at is None else moments.of(at, field="at")
    stretch = queries.stretch_at(application, moment)
    if stretch is None:
        return {"at": moment, "model": None, "promotion": None}
    model = lookups.model(request, org, name, stretch.promotion.model.number)
    return {"at": moment, "model": describe(model), "promotion": _promotion(stretch)}


@router.get(
    "/applications/{slug:org}/{slug:name}/models/{int:number}", response=ModelShape, summary="One model version"
)
def read_model(request: Request, org: str, name: str, number: int) -> dict[str, Any]:
    return describe(lookups.model(request, org, name, number))


@router.get(
    "/applications/{slug:org}/{slug:name}/models/{int:number}/archive",
    summary="Bytes of a model version",
    openapi_extra=_ARCHIVE,
)
def read_archive(request: Request, org: str, name: str, number: int) -> HttpResponseBase:
    model = lookups.model(request, org, name, number)
    return downloads.answer(request, model.digest, name=f"{name}-model-{number}.tar", media_type="application/x-tar")


@router.post(
    "/applications/{slug:org}/{slug:name}/models/{int:number}/promote",
    response={200: ModelShape, 202: ModelShape},
    summary="Promote or approve",
    openapi_extra=_SWAP,
)
def promote(
    request: Request, response: HttpResponse, org: str, name: str, number: int, why: Why | None = None
) -> Status[dict[str, Any]]:
    """Lets a candidate, or a version that was live before, become live. What is awake is swapped without a pause: 200
    when the version is live, 202 while a process of it starts. 409 when its state does not allow it, or when it was
    learned from another version than the live one. By operators and owners."""
    model = lookups.model(request, org, name, number, access.OPERATE)
    wait = preferences.wait_seconds(request, usual=USUAL_WAIT)
    models.promote(
        application=model.application,
        model=model,
        by=request.auth.actor,
        reason=_reason(why),
        now=timezone.now(),
    )
    return _swapped(response, model, wait)


@router.post("/applications/{slug:org}/{slug:name}/models/{int:number}/reject", response=ModelShape, summary="Decline")
def reject(request: Request, org: str, name: str, number: int, why: Why | None = None) -> dict[str, Any]:
    """A candidate is kept, but never becomes live. 409 when it is none. By operators and owners."""
    models.reject(
        model=lookups.model(request, org, name, number, access.OPERATE),
        by=request.auth.actor,
        reason=_reason(why),
        now=timezone.now(),
    )
    return describe(lookups.model(request, org, name, number))


@router.post(
    "/applications/{slug:org}/{slug:name}/models/rollback",
    response={200: ModelShape, 202: ModelShape},
    summary="Roll back",
    openapi_extra=_SWAP,
)
def roll_back(
    request: Request, response: HttpResponse, org: str, name: str, back: Rollback | None = None
) -> Status[dict[str, Any]]:
    """Goes back to a version that was live before, as a new row of the ledger; answers with that version, as promoting
    does. 409 when there is nothing to go back to. By operators and owners."""
    application = lookups.application(request, org, name, access.OPERATE)
    wait = preferences.wait_seconds(request, usual=USUAL_WAIT)
    model = models.rollback(
        application=application,
        to=back.to if back else None,
        by=request.auth.actor,
        reason=_reason(back),
        now=timezone.now(),
    )
    return _swapped(response, model, wait)


def _reason(why: Why | None) -> str:
    return why.reason.strip() if why else ""


def _swapped(response: HttpResponse, model: ModelVersion, wait: float) -> Status[dict[str, Any]]:
    """200 when it is live, 202 when it still is not after `wait` seconds. Raises DidNotStart."""
    until = time.monotonic() + wait
    while (is_coming := queries.is_coming(model)) and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    now = queries.by_id(model.pk) or model
    if not is_coming and now.state != states.ACTIVE:
        why = now.reason if now.state == states.REJECTED else "The timeline says why."
        raise DidNotStart(f"Version {now.number} did not become live, and what was live stays live. {why}")
    response["Location"] = address(now)
    return Status(202 if is_coming else 200, describe(now))
