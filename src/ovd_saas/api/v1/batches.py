"""Batches: list, read, download, take down. The gateway answers POST A/intake itself. Floor 3."""

from datetime import datetime
from typing import Any, Literal

from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Router
from pydantic import ConfigDict, Field

from ovd_saas.api import downloads
from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Cursor, Limit
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore import access, batches
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.store.queries import batches as queries

router = Router(tags=["data"])

EXAMPLE: dict[str, Any] = {
    "id": "42",
    "number": 3,
    "samples": 336,
    "size": 21504,
    "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "status": "learned",
    "kind": "intake",
    "media_type": "application/x-ndjson",
    "origin": {},
    "learning_run": {"id": "019590f2-6b1a-7c3e-8f00-5d3b8a1c2e4f", "number": 2},
    "created_at": "2026-03-01T12:00:00Z",
    "taken_down_at": None,
}


class TakenBy(Answer):
    """The learning run whose snapshot took the batch first."""

    id: str
    number: int


class BatchShape(Answer):
    """One delivery of samples, numbered, never changed."""

    model_config = ConfigDict(title="Batch", json_schema_extra={"example": EXAMPLE})

    id: str
    number: int = Field(description="Of this application: 1, 2, 3 … without gaps.")
    samples: int
    size: int = Field(description="Bytes of its JSON Lines.")
    digest: str = Field(description="Of its JSON Lines.")
    status: Literal["pending", "learning", "learned", "taken_down"] = Field(
        description="`pending`: no learning run has taken it yet; `learning`: one is at work with it."
    )
    kind: Literal["intake", "source", "feedback", "execution"]
    media_type: str = Field(description="As it was sent.")
    origin: dict[str, Any] = Field(
        description="{source, path} of a file that was pulled, {execution} of feedback, {executions} of the archive."
    )
    learning_run: TakenBy | None
    created_at: datetime
    taken_down_at: datetime | None


class BatchPage(Answer):
    items: list[BatchShape]
    next: str | None


class LearnedFrom(Answer):
    """A model version that learned from the batch, and keeps what it learned."""

    number: int
    status: str
    created_at: datetime


class TakenDown(Answer):
    batch: BatchShape
    models: list[LearnedFrom] = Field(
        description="Versions that learned from it, or went on from one that did. Only learning anew undoes that."
    )


@router.get("/applications/{slug:org}/{slug:name}/batches", response=BatchPage, summary="Batches, newest first")
def list_batches(request: Request, org: str, name: str, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    page = queries.page_of(lookups.application(request, org, name), before=cursor, limit=limit)
    return {"items": [batches.view(row) for row in page.items], "next": page.next}


@router.get("/applications/{slug:org}/{slug:name}/batches/{int:number}", response=BatchShape, summary="One batch")
def read_batch(request: Request, org: str, name: str, number: int) -> dict[str, Any]:
    return batches.view(lookups.batch(request, org, name, number))


@router.get(
    "/applications/{slug:org}/{slug:name}/batches/{int:number}/content",
    summary="Its samples as JSON Lines",
    openapi_extra=downloads.DOCUMENTED,
)
def read_content(request: Request, org: str, name: str, number: int) -> HttpResponseBase:
    """410 when it was taken down."""
    digest = batches.content(lookups.batch(request, org, name, number))
    return downloads.answer(request, digest, name=f"{name}-{number}.jsonl", media_type="application/x-ndjson")


@router.get(
    "/applications/{slug:org}/{slug:name}/batches/{int:number}/files/{str:digest}",
    summary="Bytes of a file that its samples name",
    openapi_extra=downloads.DOCUMENTED,
)
def read_sample_file(request: Request, org: str, name: str, number: int, digest: str) -> HttpResponseBase:
    """A download without a name: samples say what their files are called."""
    found = lookups.batch(request, org, name, number)
    batches.content(found)
    if digest not in found.files:
        raise NotFound(f"Batch {number} of {org}/{name} has no file {digest}.")
    return downloads.answer(request, digest, name="file", media_type="application/octet-stream")


@router.delete(
    "/applications/{slug:org}/{slug:name}/batches/{int:number}", response=TakenDown, summary="Take a batch down"
)
def take_down_batch(request: Request, org: str, name: str, number: int) -> dict[str, Any]:
    """Its samples and their files are removed for good; that it was there, when, and what it was named stays. By
    operators and owners. Says which model versions learned from it."""
    found = lookups.batch(request, org, name, number, access.OPERATE)
    models = batches.take_down(batch=found, by=request.auth.actor, now=timezone.now())
    learned = [{"number": one.number, "status": one.state, "created_at": one.created_at} for one in models]
    return {"batch": batches.view(found), "models": learned}
