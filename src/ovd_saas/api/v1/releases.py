"""Releases: push, list, read, and follow the build. Floor 3."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api import streams
from ovd_saas.api.callers import Request
from ovd_saas.api.problems import Invalid
from ovd_saas.api.shapes import Answer, Cursor, Limit
from ovd_saas.api.uploads import Upload
from ovd_saas.api.v1 import lookups
from ovd_saas.api.v1.resuming import last_event_id
from ovd_saas.appcore import access, loose_files, releases
from ovd_saas.domain import releases as states
from ovd_saas.store.queries import releases as queries
from ovd_saas.store.records import Release

router = Router(tags=["releases"])

_EXAMPLE: dict[str, Any] = {
    "application": "acme/water-flow",
    "number": 3,
    "status": "ready",
    "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "environment": "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "size": 4096,
    "error": None,
    "schema": {"version": 1, "inputs": {"type": "object"}, "outputs": {"type": "object"}},
    "seconds": 12.5,
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "ana",
    "ready_at": "2026-03-01T12:00:13Z",
    "is_current": True,
    "url": "/api/v1/applications/acme/water-flow/releases/3",
}
_ARCHIVE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["archive"],
                    "additionalProperties": False,
                    "properties": {
                        "archive": {
                            "type": "string",
                            "format": "binary",
                            "description": "tar.gz of the folder with ovd.toml at its top, at most 512 MiB.",
                        }
                    },
                }
            }
        },
    }
}


class ReleaseShape(Answer):
    """An immutable published version of code, manifest and locked environment."""

    model_config = ConfigDict(title="Release", json_schema_extra={"example": _EXAMPLE})

    application: str = Field(description="org/name")
    number: int
    status: Literal["building", "ready", "failed"]
    digest: str = Field(description="Of the archive; names the release.")
    environment: str | None = Field(description="Digest of the built environment.")
    size: int = Field(description="Bytes of the archive.")
    error: str | None = Field(description="Why it failed; the log says more.")
    inputs_and_outputs: dict[str, Any] | None = Field(
        alias="schema",
        description="What executions take and give: the schema document with `inputs`, `outputs` (JSON Schema 2020-12) "
        "and `samples`; null until it is ready.",
    )
    seconds: float | None = Field(description="What the build took.")
    created_at: datetime
    created_by: str | None
    ready_at: datetime | None
    is_current: bool = Field(description="New executions run it.")
    url: str


class ReleaseWithLog(ReleaseShape):
    """A release with everything its build printed so far."""

    model_config = ConfigDict(
        title="ReleaseWithLog", json_schema_extra={"example": {**_EXAMPLE, "log": "Resolved 12 packages\n"}}
    )

    log: str


class ReleasePage(Answer):
    items: list[ReleaseShape]
    next: str | None


def describe(release: Release, *, address: str, current_id: int | None) -> dict[str, Any]:
    """The release of API v1, without its log."""
    return {
        "application": address,
        "number": release.number,
        "status": release.state,
        "digest": release.digest,
        "environment": release.environment or None,
        "size": release.size,
        "error": release.error or None,
        "schema": release.schema or None,
        "seconds": release.seconds,
        "created_at": release.created_at,
        "created_by": release.created_by.get_username() if release.created_by else None,
        "ready_at": release.ready_at,
        "is_current": release.pk == current_id,
        "url": f"/api/v1/applications/{address}/releases/{release.number}",
    }


@router.post(
    "/applications/{slug:org}/{slug:name}/releases",
    response={202: ReleaseWithLog},
    by_alias=True,
    summary="Push a release",
    openapi_extra=_ARCHIVE,
)
def push(request: Request, response: HttpResponse, org: str, name: str) -> Status[dict[str, Any]]:
    """Sends the folder of an application, which is made when it is new. The build goes on after the answer; `/log`
    follows it."""
    organisation = lookups.organisation(request, org, access.PUSH)
    try:
        archive = _archive(request)
    except Invalid:
        parts = [part for _, each in request.FILES.lists() for part in each if isinstance(part, Upload)]
        loose_files.let_go([part.digest for part in parts], now=timezone.now())
        raise
    release = releases.submit(
        organisation=organisation,
        name=name,
        digest=archive.digest,
        size=archive.size or 0,
        by=request.auth.actor,
        by_id=request.auth.user_id,
        now=timezone.now(),
    )
    shape = describe(release, address=f"{org}/{name}", current_id=release.application.release_id)
    response["Location"] = shape["url"]
    return Status(202, {**shape, "log": release.log})


@router.get(
    "/applications/{slug:org}/{slug:name}/releases",
    response=ReleasePage,
    by_alias=True,
    summary="Releases, newest first",
)
def list_releases(request: Request, org: str, name: str, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    application = lookups.application(request, org, name)
    page = queries.page_of(application, before=cursor, limit=limit)
    shapes = [describe(row, address=application.address, current_id=application.release_id) for row in page.items]
    return {"items": shapes, "next": page.next}


@router.get(
    "/applications/{slug:org}/{slug:name}/releases/{int:number}",
    response=ReleaseWithLog,
    by_alias=True,
    summary="One release, with the log of its build",
)
def read_release(request: Request, org: str, name: str, number: int) -> dict[str, Any]:
    release = lookups.release(request, org, name, number)
    shape = describe(release, address=f"{org}/{name}", current_id=release.application.release_id)
    return {**shape, "log": release.log}


@router.get(
    "/applications/{slug:org}/{slug:name}/releases/{int:number}/log",
    summary="Follow a build",
    openapi_extra={
        "responses": {
            200: {
                "description": "Server-sent events: `log` {text}, then `done` {status, error}.",
                "content": {streams.MEDIA_TYPE: {"schema": {"type": "string"}}},
            },
            204: {"description": "The stream was read to its end before (Last-Event-ID)."},
        }
    },
)
def follow_build(request: Request, org: str, name: str, number: int) -> HttpResponseBase:
    """Server-sent events of the build, from its first line on; resumes after `Last-Event-ID`."""
    id_ = lookups.release(request, org, name, number).pk
    after = last_event_id(request)
    if news(id_, after) == streams.News([], is_over=True):
        return streams.over()
    return streams.answer(
        lambda last: news(id_, last),
        after=after,
        wanted=lambda notice: notice["about"] == "release" and notice.get("id") == id_,
    )


def news(release_id: int, after: int) -> streams.News:
    """What the build printed after its first `after` characters; an event's id is how many there were with it."""
    piece = queries.log_from(release_id, after)
    events = [streams.Event(piece.length, "log", {"text": piece.text})] if piece.text else []
    if piece.state == states.BUILDING:
        return streams.News(events)
    if after <= piece.length:
        release = Release.objects.only("state", "error").get(pk=release_id)
        body = {"status": release.state, "error": release.error or None}
        events.append(streams.Event(piece.length + 1, "done", body))
    return streams.News(events, is_over=True)


def _archive(request: Request) -> Upload:
    """The one part of the request. Raises Invalid."""
    for name in (*request.FILES, *request.POST):
        if name != "archive":
            raise Invalid.field(name, "It is not known here. Send one part named archive.")
    found = request.FILES.getlist("archive")
    if len(found) != 1 or not isinstance(found[0], Upload):
        raise Invalid.field(
            "archive", "Send exactly one multipart part of this name, with a file name: the tar.gz of the folder."
        )
    return found[0]
