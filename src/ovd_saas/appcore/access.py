"""Access: who calls, by token or session, and what they may do where. Floor 2: may use store.

A token is `ovd_` and 40 URL-safe characters, shown once; at rest is its SHA-256. It has 240 random bits, so a plain
hash cannot be guessed back, and finding it by the unique index of its hash tells nothing by its timing.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from ovd.schema import FieldError
from ovd_saas.appcore.refusals import Forbidden, NotFound, Refusal
from ovd_saas.store import notices, statements
from ovd_saas.store.records import Membership, Token, User

PREFIX = "ovd_"
SEE = "see"
EXECUTE = "execute"
PUSH = "push"
OPERATE = "operate"
MANAGE = "manage"

_Role = Membership.Role
_ANY = frozenset(role.value for role in _Role)
PERMISSIONS: Mapping[str, frozenset[str]] = {
    SEE: _ANY,
    EXECUTE: _ANY,
    PUSH: frozenset({_Role.AUTHOR.value, _Role.OWNER.value}),
    OPERATE: frozenset({_Role.OPERATOR.value, _Role.OWNER.value}),
    MANAGE: frozenset({_Role.OWNER.value}),
}

_WORDS = {SEE: "see", EXECUTE: "execute", PUSH: "push to", OPERATE: "operate", MANAGE: "manage"}


class UnnamedToken(Refusal):
    """A token needs a name, so that its owner knows later what it was for."""

    code = "invalid"
    http = 422


@dataclass(frozen=True)
class Caller:
    """Who calls, with everything that deciding needs; a value that may be kept in memory until notice `access`."""

    user_id: int
    username: str
    is_staff: bool
    roles: Mapping[str, str] = field(default_factory=dict)  # organisation's slug -> role

    @property
    def key(self) -> str:
        """What fairness and idempotency count by."""
        return f"user:{self.user_id}"

    @property
    def actor(self) -> str:
        """As named in the timeline."""
        return f"user:{self.username}"


_HOLDER = """
    SELECT person.id, person.username, person.is_staff, coalesce((
        SELECT jsonb_object_agg(organisation.slug, membership.role) FROM store_membership AS membership
        JOIN store_organisation AS organisation ON organisation.id = membership.organisation_id
        WHERE membership.user_id = person.id
    ), '{}')::text
    FROM store_token AS token JOIN store_user AS person ON person.id = token.user_id
    WHERE token.digest = %(digest)s AND token.revoked_at IS NULL AND person.is_active"""


def authenticate(token: str) -> Caller | None:
    """Whom this secret stands for; None when it is unknown, revoked, or its user may not sign in."""
    if not token.startswith(PREFIX):
        return None
    for user_id, username, is_staff, roles in statements.run(_HOLDER, {"digest": digest(token)}):
        return Caller(user_id, username, is_staff, json.loads(roles))
    return None


def of_user(user: User) -> Caller:
    roles = dict(Membership.objects.filter(user=user).values_list("organisation__slug", "role"))
    return Caller(user.pk, user.username, user.is_staff, roles)


def of_id(user_id: int) -> Caller | None:
    """As they are now; None when they may not sign in any more."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return of_user(user) if user else None


def may(caller: Caller, verb: str, organisation_slug: str) -> bool:
    """`see`, `execute`: any role; `push`: author, owner; `operate`: operator, owner; `manage`: owner; staff: all."""
    return caller.is_staff or caller.roles.get(organisation_slug) in PERMISSIONS[verb]


def require(caller: Caller, verb: str, organisation_slug: str, *, subject: str) -> None:
    """Nothing, when the caller may. Raises NotFound for what is foreign, Forbidden for what the role does not allow.

    `subject` names the thing for the person: "application acme/water-flow".
    """
    if not may(caller, SEE, organisation_slug):
        raise NotFound(f"There is no {subject}, or it is not yours.")
    if not may(caller, verb, organisation_slug):
        role = caller.roles[organisation_slug]
        allowed = " or ".join(sorted(PERMISSIONS[verb]))
        raise Forbidden(f"You are {role} of {organisation_slug}, which is not enough to {_WORDS[verb]} "
                        f"{subject}. Ask somebody who is {allowed}.")  # fmt: skip


def require_control(caller: Caller, organisation_slug: str, made_by: str, *, subject: str) -> None:
    """Nothing, when the caller made the thing or operates it; `made_by` is a caller's key. Raises as `require`."""
    require(caller, EXECUTE if made_by == caller.key else OPERATE, organisation_slug, subject=subject)


def issue(user: User, name: str) -> tuple[Token, str]:
    """A new token and its secret, which nobody can show again. Raises UnnamedToken."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise UnnamedToken(
            "A token needs a name of 1 to 100 characters. Say what it is for, such as “night import”.",
            errors=[FieldError("name", f"It must have 1 to 100 characters, not {len(name)}.")],
        )
    secret = PREFIX + secrets.token_urlsafe(30)
    return Token.objects.create(user=user, name=name, digest=digest(secret), hint=secret[:8]), secret


@transaction.atomic
def revoke(token: Token, now: datetime) -> None:
    """Afterwards it opens nothing. A token that was revoked before keeps its moment."""
    Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    token.refresh_from_db()
    notices.notify("access")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
