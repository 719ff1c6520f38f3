"""Members: who belongs to an organisation, with which role; and invitations to it. For owners and staff. Floor 3."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from ninja import Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Text
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore import access, invitations
from ovd_saas.appcore import people as verbs
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.store.queries import people
from ovd_saas.store.records import Invitation, Membership, User

router = Router(tags=["people"])

_ROLE = "owner, author, operator or member"


class MemberShape(Answer):
    model_config = ConfigDict(title="Member")

    username: str
    name: str
    role: str = Field(description=_ROLE)
    is_active: bool = Field(description="May sign in.")
    signed_in_at: datetime | None


class MemberList(Answer):
    items: list[MemberShape]
    next: None


class NewRole(Body):
    role: Text = Field(description=_ROLE, examples=["operator"])


class InvitationShape(Answer):
    """An offer of a role, without the secret of its link."""

    model_config = ConfigDict(title="Invitation")

    id: str
    role: str = Field(description=_ROLE)
    email: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime


class MadeInvitationShape(InvitationShape):
    """An invitation that was just made; its link is never shown again."""

    model_config = ConfigDict(title="MadeInvitation")

    path: str = Field(description="Of the page that takes it, on this platform: to be given to the person.")


class InvitationList(Answer):
    items: list[InvitationShape]
    next: None


class NewInvitation(Body):
    role: Text = Field(description=_ROLE, examples=["author"])
    email: Text = Field("", description="Whom it is for; no letter is sent by this operation.")


@router.get("/organisations/{slug:org}/members", response=MemberList, summary="Members and their roles")
def list_members(request: Request, org: str) -> dict[str, Any]:
    organisation = lookups.organisation(request, org, access.MANAGE)
    return {"items": [_member(row) for row in people.members(organisation)], "next": None}


@router.patch("/organisations/{slug:org}/members/{username}", response=MemberShape, summary="Change a role")
def change_role(request: Request, org: str, username: str, new: NewRole) -> dict[str, Any]:
    """409 for the last owner, who would be missed."""
    organisation = lookups.organisation(request, org, access.MANAGE)
    user = _user(org, username)
    return _member(verbs.change_role(organisation=organisation, user=user, to=new.role, by=request.auth.actor))


@router.delete("/organisations/{slug:org}/members/{username}", response={204: None}, summary="Remove a member")
def remove_member(request: Request, org: str, username: str) -> Status[None]:
    """The account stays. 409 for the last owner."""
    organisation = lookups.organisation(request, org, access.MANAGE)
    verbs.remove(organisation=organisation, user=_user(org, username), by=request.auth.actor)
    return Status(204, None)


@router.get("/organisations/{slug:org}/invitations", response=InvitationList, summary="Open invitations")
def list_invitations(request: Request, org: str) -> dict[str, Any]:
    lookups.organisation(request, org, access.MANAGE)
    return {"items": [_invitation(row) for row in people.invitations([org], timezone.now())], "next": None}


@router.post("/organisations/{slug:org}/invitations", response={201: MadeInvitationShape}, summary="Invite somebody")
def invite(request: Request, org: str, new: NewInvitation) -> Status[dict[str, Any]]:
    """Good for seven days, once."""
    organisation = lookups.organisation(request, org, access.MANAGE)
    by = request.auth
    made, secret = invitations.invite(
        organisation=organisation, role=new.role, email=new.email, by=by.actor, by_id=by.user_id, now=timezone.now()
    )
    return Status(201, {**_invitation(made), "created_by": by.username, "path": f"/invitations/{secret}/"})


@router.delete("/organisations/{slug:org}/invitations/{int:id_}", response={204: None}, summary="Revoke an invitation")
def revoke_invitation(request: Request, org: str, id_: int) -> Status[None]:
    lookups.organisation(request, org, access.MANAGE)
    found = people.invitation(id_)
    if found is None or found.organisation.slug != org:
        raise NotFound(f"Organisation {org} has no invitation {id_}.")
    invitations.revoke(invitation=found, by=request.auth.actor, now=timezone.now())
    return Status(204, None)


def _user(org: str, username: str) -> User:
    user = people.found([org]).filter(username=username).first()
    if user is None:
        raise NotFound(f"{username} is no member of {org}.")
    return user


def _member(row: Membership) -> dict[str, Any]:
    user = row.user
    return {
        "username": user.username,
        "name": user.get_full_name(),
        "role": row.role,
        "is_active": user.is_active,
        "signed_in_at": user.last_login,
    }


def _invitation(row: Invitation) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "role": row.role,
        "email": row.email,
        "created_at": row.created_at,
        "created_by": row.created_by.username if row.created_by else None,
        "expires_at": row.expires_at,
    }
