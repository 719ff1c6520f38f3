"""People: who belongs to an organisation and with which role; who may sign in at all. Floor 2: may use store.

An organisation keeps an owner who can sign in: the last one is neither demoted nor removed. Whatever changes here is
told to every process that remembers who may do what (notice `access`).
"""

from datetime import datetime

import structlog
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from ovd.schema import FieldError
from ovd_saas.appcore.access import Caller
from ovd_saas.appcore.refusals import Forbidden, Refusal
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Membership, Organisation, User

log = structlog.get_logger()
ROLES = tuple(role.value for role in Membership.Role)


class UnknownRole(Refusal):
    """There is no such role."""

    code = "invalid"
    http = 422


class LastOwner(Refusal):
    """Nobody would be left who can invite and change roles."""

    code = "last_owner"


class ChangedMeanwhile(Refusal):
    """Somebody else was faster; what was seen is not so any more."""

    code = "changed_meanwhile"


class LastStaff(Refusal):
    """Nobody would be left who operates the platform."""

    code = "last_staff"


class BadAddress(Refusal):
    """Not an e-mail address."""

    code = "invalid"
    http = 422


def address(email: str) -> str:
    """The address without blanks around it; nothing is one, too. Raises BadAddress."""
    email = email.strip()
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise BadAddress(
            f"{email[:80]!r} is not an e-mail address. Correct it, or leave it out.",
            errors=[FieldError("email", "It is not an e-mail address.")],
        ) from None
    return email


def role(name: str) -> str:
    """The role of that name. Raises UnknownRole."""
    if name not in ROLES:
        raise UnknownRole(f"There is no role {name[:40]!r}. There are: {', '.join(ROLES)}.")
    return name


@transaction.atomic
def change_role(*, organisation: Organisation, user: User, to: str, was: str = "", by: str) -> Membership:
    """Afterwards the member has the role `to`. `was` is the role that whoever decided saw; empty: whatever it is.

    May be repeated. Raises UnknownRole, ChangedMeanwhile, LastOwner.
    """
    role(to)
    membership = _locked(organisation, user)
    if membership.role == to:
        return membership
    if was and membership.role != was:
        raise ChangedMeanwhile(
            f"{user.username} is {membership.role} of {organisation.slug} by now, no longer {was}. Look again, then "
            "decide."
        )
    _keep_an_owner(membership, f"{user.username} cannot become {to}")
    before, membership.role = membership.role, to
    membership.save(update_fields=["role"])
    log.info("role changed", user=user.username, organisation=organisation.slug, before=before, after=to, by=by)
    notify("access")
    return membership


@transaction.atomic
def remove(*, organisation: Organisation, user: User, by: str) -> None:
    """Afterwards the user is no member; the account, and what it made, stay. Raises ChangedMeanwhile, LastOwner."""
    membership = _locked(organisation, user)
    _keep_an_owner(membership, f"{user.username} cannot be removed")
    membership.delete()
    log.info("member removed", user=user.username, organisation=organisation.slug, by=by)
    notify("access")


@transaction.atomic
def deactivate(*, user: User, by: Caller) -> None:
    """Afterwards the user cannot sign in and no token of theirs opens anything; memberships stay for a return.

    Raises Forbidden for oneself and for who is no staff, LastStaff.
    """
    _demand_staff(by)
    if user.pk == by.user_id:
        raise Forbidden("You cannot deactivate yourself. Somebody else of the platform's staff can.")
    staff = User.objects.select_for_update().filter(is_staff=True, is_active=True).order_by("pk")
    others = [one.pk for one in staff if one.pk != user.pk]
    if user.is_staff and not others:
        raise LastStaff(f"{user.username} is the last one who operates the platform. Make somebody else staff first.")
    _set_active(user, False, by)


@transaction.atomic
def reactivate(*, user: User, by: Caller) -> None:
    """Afterwards the user can sign in again, with the roles of before. Raises Forbidden."""
    _demand_staff(by)
    _set_active(user, True, by)


def change_email(*, user: User, email: str) -> None:
    """Afterwards links for a new password go to this address; empty: to none. Raises BadAddress."""
    User.objects.filter(pk=user.pk).update(email=address(email))


def close_guide(*, user: User, now: datetime) -> None:
    """Afterwards the guide of the first steps is shown to this user no more."""
    User.objects.filter(pk=user.pk, guided_at=None).update(guided_at=now)


def open_guide(*, user: User) -> None:
    """Afterwards it is shown again."""
    User.objects.filter(pk=user.pk).update(guided_at=None)


def _demand_staff(by: Caller) -> None:
    if not by.is_staff:
        raise Forbidden("Only the platform's staff can do this. Ask one of them.")


def _set_active(user: User, is_active: bool, by: Caller) -> None:
    if User.objects.filter(pk=user.pk, is_active=not is_active).update(is_active=is_active):
        log.info("user changed", user=user.username, is_active=is_active, by=by.actor)
        notify("access")


def _locked(organisation: Organisation, user: User) -> Membership:
    """The membership; until the transaction ends nobody else changes who belongs to the organisation."""
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    found = Membership.objects.filter(organisation=organisation, user=user).first()
    if found is None:
        raise ChangedMeanwhile(f"{user.username} is not a member of {organisation.slug} any more; nothing was changed.")
    return found


def _keep_an_owner(membership: Membership, what: str) -> None:
    owner = Membership.Role.OWNER.value
    if membership.role != owner:
        return
    rows = Membership.objects.filter(organisation=membership.organisation_id, role=owner, user__is_active=True)
    if not rows.exclude(pk=membership.pk).exists():
        slug = membership.organisation.slug
        raise LastOwner(
            f"{what}: nobody else who can sign in owns {slug}, and it needs an owner. Make somebody else an owner "
            "first."
        )
