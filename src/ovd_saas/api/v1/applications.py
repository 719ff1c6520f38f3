"""Applications: list, make, read, change, act. Floor 3."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router, Status
from pydantic import ConfigDict, Field

from ovd import reach
from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Cursor, Limit, Text
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore import access, adoptions, applications, network
from ovd_saas.domain import applications as rules
from ovd_saas.domain.phase import phase
from ovd_saas.store.queries import applications as queries
from ovd_saas.store.records import Application

router = Router(tags=["applications"])

_EXAMPLE: dict[str, Any] = {
    "org": "acme",
    "name": "water-flow",
    "title": "Water flow forecast",
    "summary": "Forecasts the flow in a pipeline.",
    "status": "enabled",
    "health": "healthy",
    "phase": "idle",
    "service": "asleep",
    "learning": "resting",
    "reason": "Its last process has ended.",
    "since": "2026-03-01T12:00:00Z",
    "next": {"what": "Wakes when somebody uses it.", "at": None},
    "release": 3,
    "model": 4,
    "learns": True,
    "upstream": None,
    "url": "/a/acme/water-flow/",
    "network": {"asked": ["api.example.org:443"], "allowed": [], "reached": []},
    "actions": {
        "wake": {"is_legal": True, "reason": None},
        "sleep": {"is_legal": False, "reason": "It is asleep already."},
        "suspend": {"is_legal": True, "reason": None},
        "enable": {"is_legal": False, "reason": "It is enabled already."},
        "retire": {"is_legal": False, "reason": "It is enabled, and retiring is final. Suspend it first."},
    },
}


class NextShape(Answer):
    """What the platform will do by itself, and when if that is known."""

    what: str
    at: datetime | None


class ActionShape(Answer):
    """Whether an action is possible now for this caller."""

    is_legal: bool
    reason: str | None = Field(description="Why it is not, a sentence.")


class NetworkShape(Answer):
    """The hosts of an application, each `host:port`."""

    asked: list[str] = Field(description="What its current release asks for ([network] hosts).")
    allowed: list[str] = Field(description="What operators allow.")
    reached: list[str] = Field(description="Both: what a process that starts now can reach, and nothing else.")


class ApplicationShape(Answer):
    """An application as it is now."""

    model_config = ConfigDict(title="Application", json_schema_extra={"example": _EXAMPLE})

    org: str
    name: str
    title: str
    summary: str
    status: Literal["draft", "enabled", "suspended", "retired"] = Field(description="What people decided.")
    health: Literal["healthy", "faulty"] = Field(description="faulty: it failed to start too often in a row.")
    phase: Literal["idle", "learning", "executing"]
    service: Literal["asleep", "waking", "awake", "draining"]
    learning: Literal["resting", "due", "learning", "yielding", "evaluating"]
    reason: str = Field(description="Why it is as it is, a sentence.")
    since: datetime = Field(description="The last change of a state.")
    next: NextShape | None
    release: int | None = Field(description="Number of the current release.")
    model: int | None = Field(description="Number of the live model version.")
    learns: bool = Field(description="Whether its current release learns; else it is only executed.")
    upstream: str | None = Field(description="org/name of the application that this one adopted.")
    url: str = Field(description="The page of its end users.")
    network: NetworkShape
    actions: dict[Literal["wake", "sleep", "suspend", "enable", "retire"], ActionShape]


class ApplicationPage(Answer):
    items: list[ApplicationShape]
    next: str | None


class NewApplication(Body):
    """A draft without code, or an adoption of another one; pushing a release makes an application by itself."""

    org: Text = Field(max_length=50)
    name: Text = Field(description="2 to 40 lower-case letters, digits and hyphens, beginning with a letter.")
    title: Text = Field("", max_length=200)
    summary: Text = Field("", max_length=500)
    upstream: Text | None = Field(
        None,
        max_length=100,
        description="org/name of an application that you may see, to adopt it: the new one runs its current release, "
        "on data of its own; a later release waits until somebody takes it.",
    )


class ApplicationChange(Body):
    title: Text | None = Field(None, min_length=1, max_length=200)
    summary: Text | None = Field(None, max_length=500)
    network_allowed: list[Text] | None = Field(
        None,
        description="All hosts that it may reach, `host:port` or `host` for port 443; operators and owners only. More "
        "is reached from the next start on; a process that could reach what is taken back is ended.",
    )


def describe(application: Application, caller: access.Caller) -> dict[str, Any]:
    """The application of API v1."""
    org = application.organisation.slug
    next_ = {"what": application.next_what, "at": application.next_at} if application.next_what else None
    return {
        "org": org,
        "name": application.name,
        "title": application.title,
        "summary": application.summary,
        "status": application.status,
        "health": application.health,
        "phase": phase(application.service, application.learning),
        "service": application.service,
        "learning": application.learning,
        "reason": application.reason,
        "since": application.since,
        "next": next_,
        "release": application.release.number if application.release else None,
        "model": application.model.number if application.model else None,
        "learns": application.release is not None and application.release.manifest.get("learn") is not None,
        "upstream": application.upstream.address if application.upstream else None,
        "url": f"/a/{org}/{application.name}/",
        "network": _network(application),
        "actions": _actions(application, access.may(caller, access.OPERATE, org)),
    }


def _network(application: Application) -> dict[str, list[str]]:
    asked, allowed = network.wished(application.release), application.network_allowed
    return {"asked": asked, "allowed": allowed, "reached": reach.granted(asked, allowed)}


def _actions(application: Application, may_operate: bool) -> dict[str, dict[str, Any]]:
    reasons = rules.legal_actions(
        application.status,
        application.service,
        application.health,
        has_release=application.release is not None,
    )
    if not may_operate:
        reasons = dict.fromkeys(reasons, "Your role does not allow it. Ask an operator or owner.")
    return {action: {"is_legal": reason is None, "reason": reason} for action, reason in reasons.items()}


@router.get("/applications", response=ApplicationPage, summary="Applications that you may see")
def list_applications(request: Request, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    page = queries.page_of(request.auth, before=cursor, limit=limit)
    return {"items": [describe(row, request.auth) for row in page.items], "next": page.next}


@router.post("/applications", response={201: ApplicationShape}, summary="Make a draft")
def create_application(request: Request, response: HttpResponse, new: NewApplication) -> Status[dict[str, Any]]:
    organisation = lookups.organisation(request, new.org, access.PUSH)
    about: dict[str, Any] = {
        "organisation": organisation,
        "name": new.name,
        "title": new.title,
        "by": request.auth.actor,
        "by_id": request.auth.user_id,
        "now": timezone.now(),
    }
    if new.upstream is None:
        made = applications.draft(summary=new.summary, **about)
    else:
        org, _slash, name = new.upstream.partition("/")
        made = adoptions.adopt(upstream=lookups.application(request, org, name), summary=new.summary, **about)
        made = lookups.application(request, new.org, new.name)
    response["Location"] = f"/api/v1/applications/{made.address}"
    return Status(201, describe(made, request.auth))


@router.get("/applications/{slug:org}/{slug:name}", response=ApplicationShape, summary="One application")
def read_application(request: Request, org: str, name: str) -> dict[str, Any]:
    return describe(lookups.application(request, org, name), request.auth)


@router.patch(
    "/applications/{slug:org}/{slug:name}", response=ApplicationShape, summary="Change title, summary or network"
)
def change_application(request: Request, org: str, name: str, changes: ApplicationChange) -> dict[str, Any]:
    """Title and summary are the author's; which hosts may be reached is the operator's. What one role may not, changes
    nothing of the other."""
    is_about_network = changes.network_allowed is not None
    is_about_words = changes.title is not None or changes.summary is not None or not is_about_network
    for verb, is_needed in ((access.OPERATE, is_about_network), (access.PUSH, is_about_words)):
        if is_needed:
            changed = lookups.application(request, org, name, verb)
    if changes.network_allowed is not None:
        changed = network.allow(
            application=changed, hosts=changes.network_allowed, by=request.auth.actor, now=timezone.now()
        )
    if is_about_words:
        changed = applications.describe(
            application=changed, title=changes.title, summary=changes.summary, by=request.auth.actor
        )
    return describe(changed, request.auth)


@router.post(
    "/applications/{slug:org}/{slug:name}/actions/{slug:action}",
    response=ApplicationShape,
    summary="Wake, sleep, suspend, enable or retire",
)
def act(
    request: Request, org: str, name: str, action: Literal["wake", "sleep", "suspend", "enable", "retire"]
) -> dict[str, Any]:
    """409 with the reason when the present state does not allow it. Waking and sleeping take a moment: `next` says
    what happens."""
    changed = applications.act(
        application=lookups.application(request, org, name, access.OPERATE),
        action=action,
        by=request.auth.actor,
        now=timezone.now(),
    )
    return describe(changed, request.auth)
