"""Releases: push, list, read, and follow the build. Floor 3."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api import streams
from ovd_saas.api.callers import Request
from ovd_saas.api.problems import Invalid
from ovd_saas.api.shapes import Answer, Cursor, Limit
from ovd_saas.api.uploads import Upload
from ovd_saas.api.v1 import lookups
from ovd_saas.api.v1.resuming import last_event_id
from ovd_saas.appcore import access, loose_files, release_comparisons, releases
from ovd_saas.appcore import samples as examples
from ovd_saas.domain import releases as states
from ovd_saas.store.queries import releases as queries
from ovd_saas.store.queries import samples as added
from ovd_saas.store.records import Release

router = Router(tags=["releases"])
Against = Annotated[int, Query(..., ge=1, lt=2**31, description="Number of the release to compare with.")]

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
    "withdrawn_at": None,
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
    withdrawn_at: datetime | None = Field(description="Since then nobody can make it current.")
    url: str


class ReleaseWithLog(ReleaseShape):
    """A release with everything its build printed so far."""

    model_config = ConfigDict(
        title="ReleaseWithLog", json_schema_extra={"example": {**_EXAMPLE, "log": "Resolved 12 packages\n"}}
    )

    log: str


class ChangeShape(Answer):
    """One difference."""

    kind: Literal["added", "removed", "changed"]
    what: str = Field(description="An input or output, a key of the manifest, a package, or the path of a file.")
    detail: str = Field(description="What it was and is, in words; may be empty.")


class ChangesShape(Answer):
    """What differs from one release to another."""

    model_config = ConfigDict(
        title="Changes",
        json_schema_extra={
            "example": {
                "before": 2,
                "after": 3,
                "callers": [{"kind": "changed", "what": "input threshold", "detail": "maximum 1 → 2"}],
                "manifest": [{"kind": "changed", "what": "sleep.after", "detail": "300 → 60"}],
                "packages": [{"kind": "added", "what": "numpy", "detail": "2.0.0"}],
                "files": [{"kind": "changed", "what": "app.py", "detail": ""}],
            }
        },
    )

    before: int
    after: int
    callers: list[ChangeShape] = Field(description="Inputs, outputs, fields of a sample to learn from.")
    manifest: list[ChangeShape] = Field(description="Settings, with defaults filled in.")
    packages: list[ChangeShape]
    files: list[ChangeShape] = Field(description="The first 300.")


class SampleShape(Answer):
    """An example that an application offers to its visitors."""

    model_config = ConfigDict(
        title="OfferedSample",
        json_schema_extra={
            "example": {
                "key": "ten-days",
                "title": "Ten days in May",
                "credit": "Ana",
                "licence": "CC0-1.0",
                "inputs": {"horizon": 48},
                "origin": "release",
            }
        },
    )

    key: str = Field(description="Of a release: its name. Of one that was added: @ and a number.")
    title: str
    credit: str
    licence: str
    inputs: dict[str, Any] = Field(description="What it fills in; the caller gives the rest. A file is named.")
    origin: Literal["release", "application", "collection"]


class SampleList(Answer):
    items: list[SampleShape]


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
        "withdrawn_at": release.withdrawn_at,
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
    "/applications/{slug:org}/{slug:name}/releases/{int:number}/changes",
    response=ChangesShape,
    summary="What differs from another release",
)
def read_changes(request: Request, org: str, name: str, number: int, against: Against) -> dict[str, Any]:
    """From the release `against` to this one."""
    after = lookups.release(request, org, name, number)
    before = lookups.release(request, org, name, against)
    found = release_comparisons.of(before, after)
    sides = {"callers": found.schema, "manifest": found.manifest, "packages": found.packages}
    told = {
        side: [{"kind": one.kind, "what": one.what, "detail": one.detail} for one in changes]
        for side, changes in sides.items()
    }
    files = [{"kind": one.kind, "what": one.path, "detail": ""} for one in found.files]
    return {"before": before.number, "after": after.number, **told, "files": files}


@router.post(
    "/applications/{slug:org}/{slug:name}/releases/{int:number}/actions/{slug:action}",
    response=ReleaseShape,
    by_alias=True,
    summary="Make current, withdraw, restore, build again or run the samples again",
)
def act_on_release(
    request: Request,
    org: str,
    name: str,
    number: int,
    action: Literal["use", "withdraw", "restore", "build", "check"],
) -> dict[str, Any]:
    """409 with the reason when its state does not allow it. A release of an awake application takes over when a process
    of it is ready; a check tells what it found on the page of the release."""
    release = lookups.release(request, org, name, number, access.PUSH)
    by, now = request.auth.actor, timezone.now()
    if action == "use":
        releases.use(release=release, by=by, now=now)
    elif action == "withdraw":
        releases.withdraw(release=release, reason="", by=by, now=now)
    elif action == "restore":
        releases.restore(release=release)
    elif action == "build":
        releases.build_again(release=release)
    else:
        releases.check_again(release=release, by=by, now=now)
    release = lookups.release(request, org, name, number)
    return describe(release, address=f"{org}/{name}", current_id=release.application.release_id)


@router.get(
    "/applications/{slug:org}/{slug:name}/samples",
    response=SampleList,
    summary="The examples that visitors are offered",
)
def list_samples(request: Request, org: str, name: str) -> dict[str, Any]:
    """Those that the current release brings, those added to the application, and those of its shared collections, as
    far as they fit the inputs."""
    application = lookups.application(request, org, name)
    if application.release is None:
        return {"items": []}
    schema = application.release.schema
    brought = [
        {
            "key": one["name"],
            "origin": "release",
            **{part: one.get(part, "") for part in _SAID},
            "inputs": one["inputs"],
        }
        for one in schema.get("samples", [])
    ]
    own = [
        {
            "key": f"@{row.pk}",
            "origin": "collection" if row.collection_id else "application",
            **{part: getattr(row, part) for part in _SAID},
            "inputs": inputs,
        }
        for row in (*added.own(application), *added.shared(application))
        if (inputs := examples.fitted(row.inputs, schema.get("inputs", {}))) is not None
    ]
    return {"items": brought + own}


_SAID = ("title", "credit", "licence")


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
