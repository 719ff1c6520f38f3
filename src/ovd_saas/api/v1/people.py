"""People: who the caller is, and the caller's tokens. Floor 3."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from ninja import Router, Status
from pydantic import ConfigDict, Field

from ovd_saas.api.callers import Request
from ovd_saas.api.shapes import Answer, Body, Text
from ovd_saas.appcore import access
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.store.queries import people
from ovd_saas.store.records import Token

router = Router(tags=["people"])


class UserShape(Answer):
    username: str
    name: str
    is_staff: bool = Field(description="Operates the platform itself: may see and do everything.")


class OrganisationShape(Answer):
    slug: str
    title: str
    role: str | None = Field(description="owner, author, operator or member; null for staff without a role in it")


class MeShape(Answer):
    """Whom this token or session stands for."""

    model_config = ConfigDict(
        title="Me",
        json_schema_extra={
            "example": {
                "user": {"username": "ana", "name": "Ana Arias", "is_staff": False},
                "organisations": [{"slug": "acme", "title": "Acme Water", "role": "author"}],
                "roles": {"acme": "author"},
            }
        },
    )

    user: UserShape
    organisations: list[OrganisationShape]
    roles: dict[str, str] = Field(description="Role by organisation.")


class TokenShape(Answer):
    """A token without its secret."""

    model_config = ConfigDict(title="Token")

    id: str
    name: str
    hint: str = Field(description="The first characters of the secret.")
    created_at: datetime


class IssuedTokenShape(TokenShape):
    """A token that was just made; its secret is never shown again."""

    model_config = ConfigDict(title="IssuedToken")

    secret: str


class TokenPage(Answer):
    items: list[TokenShape]
    next: str | None


class NewToken(Body):
    name: Text = Field(description="What it is for.", examples=["night import"])


@router.get("/me", response=MeShape, summary="Who you are")
def me(request: Request) -> dict[str, Any]:
    caller = request.auth
    user = people.user(caller.user_id)
    organisations = [
        {"slug": row.slug, "title": row.title, "role": caller.roles.get(row.slug)}
        for row in people.organisations_of(caller)
    ]
    return {
        "user": {"username": user.username, "name": user.get_full_name(), "is_staff": user.is_staff},
        "organisations": organisations,
        "roles": dict(caller.roles),
    }


@router.get("/tokens", response=TokenPage, summary="Your tokens")
def list_tokens(request: Request) -> dict[str, Any]:
    return {"items": [_describe(row) for row in people.tokens_of(request.auth.user_id)], "next": None}


@router.post("/tokens", response={201: IssuedTokenShape}, summary="Make a token")
def issue_token(request: Request, new: NewToken) -> Status[dict[str, Any]]:
    token, secret = access.issue(people.user(request.auth.user_id), new.name)
    return Status(201, {**_describe(token), "secret": secret})


@router.delete("/tokens/{int:token_id}", response={204: None}, summary="Revoke a token")
def revoke_token(request: Request, token_id: int) -> Status[None]:
    token = people.tokens_of(request.auth.user_id).filter(pk=token_id).first()
    if token is None:
        raise NotFound(f"You have no token {token_id}.")
    access.revoke(token, timezone.now())
    return Status(204, None)


def _describe(token: Token) -> dict[str, Any]:
    return {"id": str(token.pk), "name": token.name, "hint": token.hint, "created_at": token.created_at}
