"""Invitations: offer a role in an organisation, by a link that is good once. Floor 2: may use store.

The secret in the link has 240 random bits and is kept as its SHA-256, as those of tokens are: it is found by the unique
index of its hash, which tells nothing by its timing, and nobody can show it again.
"""

import secrets
from datetime import datetime, timedelta

import structlog
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ovd.schema import FieldError
from ovd_saas.appcore import access, passwords, people
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Invitation, Membership, Organisation, User

log = structlog.get_logger()
VALID = timedelta(days=7)
LONGEST_NAME = 150  # characters


class MemberAlready(Refusal):
    """Whoever it is for belongs to the organisation."""

    code = "member_already"


class Over(Refusal):
    """It was used, revoked, or is older than it may be."""

    code = "invitation_over"
    http = 410


class NameTaken(Refusal):
    """Somebody else signs in with this name."""

    code = "name_taken"


class BadName(Refusal):
    """Not a name to sign in with."""

    code = "bad_name"
    http = 422


def invite(
    *, organisation: Organisation, role: str, email: str = "", by: str, by_id: int | None, now: datetime
) -> tuple[Invitation, str]:
    """An invitation that is good for VALID, and its secret, which nobody can show again.

    Raises people.UnknownRole, people.BadAddress, MemberAlready.
    """
    people.role(role)
    email = people.address(email)
    if email:
        member = Membership.objects.filter(organisation=organisation, user__email__iexact=email).first()
        if member is not None:
            raise MemberAlready(f"{email} is {member.role} of {organisation.slug} already. Change the role instead.")
    secret = secrets.token_urlsafe(30)
    with transaction.atomic():
        made = Invitation.objects.create(
            organisation=organisation, role=role, email=email, digest=access.digest(secret), created_at=now,
            created_by_id=by_id, expires_at=now + VALID,
        )  # fmt: skip
        notify("access")
    log.info("invited", organisation=organisation.slug, role=role, by=by)
    return made, secret


@transaction.atomic
def revoke(*, invitation: Invitation, by: str, now: datetime) -> None:
    """Afterwards its link opens nothing. May be repeated. Raises Over when it was used before."""
    locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if locked.accepted_at is not None:
        raise Over("This invitation was used before it could be revoked. Remove the new member instead.")
    if locked.revoked_at is None:
        Invitation.objects.filter(pk=locked.pk).update(revoked_at=now)
        log.info("invitation revoked", organisation=locked.organisation_id, by=by)
        notify("access")


def look(secret: str, *, now: datetime) -> Invitation:
    """The invitation that the secret opens. Raises NotFound, Over."""
    rows = Invitation.objects.select_related("organisation", "created_by", "accepted_by")
    found = rows.filter(digest=access.digest(secret)).first()
    if found is None:
        raise NotFound("There is no such invitation. Copy the whole link, or ask for another one.")
    _check_good(found, now)
    return found


@transaction.atomic
def accept(*, secret: str, user: User, now: datetime) -> Membership:
    """Afterwards the user has the role in the organisation, and the link opens nothing more. Raises NotFound, Over,
    MemberAlready."""
    invitation = look(secret, now=now)
    Organisation.objects.select_for_update().get(pk=invitation.organisation_id)
    locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
    _check_good(locked, now)
    slug = invitation.organisation.slug
    member = Membership.objects.filter(organisation=invitation.organisation, user=user).first()
    if member is not None:
        raise MemberAlready(
            f"You are {member.role} of {slug} already. The invitation is still good for somebody else; an owner can "
            "change your role."
        )
    made = Membership.objects.create(organisation=invitation.organisation, user=user, role=invitation.role)
    Invitation.objects.filter(pk=locked.pk).update(accepted_at=now, accepted_by=user)
    log.info("joined", user=user.username, organisation=slug, role=invitation.role)
    notify("access")
    return made


@transaction.atomic
def enrol(*, secret: str, username: str, password: str, email: str = "", now: datetime) -> User:
    """Afterwards there is an account that can sign in, and it has joined. `email` is what the person says that it is.

    Raises NotFound, Over, BadName, NameTaken, people.BadAddress, passwords.Weak.
    """
    look(secret, now=now)
    name = username.strip()
    _check_name(name)
    user = User(username=name, email=people.address(email))
    passwords.check(password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise _taken(name) from None
    accept(secret=secret, user=user, now=now)
    return user


def _check_good(invitation: Invitation, now: datetime) -> None:
    slug = invitation.organisation.slug
    if invitation.accepted_at is not None:
        raise Over(f"This invitation to {slug} was used. Sign in, or ask an owner for another one.")
    if invitation.revoked_at is not None:
        raise Over(f"This invitation to {slug} was revoked. Ask an owner of it for another one.")
    if invitation.expires_at <= now:
        raise Over(f"This invitation to {slug} is older than {VALID.days} days. Ask an owner of it for another one.")


def _check_name(name: str) -> None:
    rule = "use 1 to 150 letters, digits and @ . + - _."
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError:
        raise BadName(f"{name[:60]!r} cannot be a name: {rule}", errors=[FieldError("username", rule)]) from None
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadName(f"A name to sign in with: {rule}", errors=[FieldError("username", rule)])
    if User.objects.filter(username__iexact=name).exists():
        raise _taken(name)


def _taken(name: str) -> NameTaken:
    return NameTaken(f"Somebody signs in as {name} already. If that is you, sign in first and open the link again.")
