"""Passwords: change one's own; a link with which a person sets a new one. Floor 2: may use store.

A link is signed by the platform (Django's token of a password reset), so nothing of it is at rest: it is good for
`PASSWORD_RESET_TIMEOUT` seconds and until the password changes or the person signs in.
"""

import structlog
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from ovd.schema import FieldError
from ovd_saas.appcore import access
from ovd_saas.appcore.access import Caller
from ovd_saas.appcore.refusals import Forbidden, NotFound, Refusal
from ovd_saas.store.notices import notify
from ovd_saas.store.records import User

log = structlog.get_logger()


class Weak(Refusal):
    """Too easy to guess; the detail says why."""

    code = "weak_password"
    http = 422


class Wrong(Refusal):
    """Not the present password."""

    code = "wrong_password"
    http = 422


class LinkOver(Refusal):
    """The link was used, or is too old."""

    code = "link_over"
    http = 410


def check(password: str, user: User) -> None:
    """Nothing, when the password may be used. Raises Weak."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        why = " ".join(error.messages)
        raise Weak(f"Choose another password: {why}", errors=[FieldError("password", why)]) from None


def change(*, user: User, old: str, new: str) -> None:
    """Afterwards only the new password opens; other sessions of the user end. Raises Wrong, Weak."""
    if not user.check_password(old):
        raise Wrong("This is not your present password. Type it again; capital letters count.")
    check(new, user)
    _set(user, new)


def link(*, user: User, by: Caller) -> tuple[str, str]:
    """The two parts of a link with which this user sets a new password. Raises Forbidden as `require_link`."""
    require_link(user, by)
    log.info("link for a password made", user=user.username, by=by.actor)
    return parts(user)


def parts(user: User) -> tuple[str, str]:
    """As `link`, for who asked for it by e-mail."""
    return urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)


def require_link(user: User, by: Caller) -> None:
    """Nothing, when the caller may have this person set a new password: staff for all, an owner for who has rights
    only where the caller is an owner. Raises Forbidden."""
    if by.is_staff:
        return
    if user.is_staff:
        raise Forbidden(f"{user.username} operates the platform, which is more than you may do. Ask the staff.")
    roles = access.of_user(user).roles
    beyond = sorted(org for org in roles if not access.may(by, access.MANAGE, org))
    if beyond or not roles:
        where = f"{user.username} has a role where you are no owner" if beyond else f"{user.username} has no role"
        raise Forbidden(f"{where}, so a link of yours could open more than you may. Ask the platform's staff.")


def whose(uid: str, token: str) -> User:
    """Whom a link is for. Raises NotFound, LinkOver."""
    try:
        user = User.objects.filter(pk=int(urlsafe_base64_decode(uid))).first()
    except (ValueError, OverflowError):
        user = None
    if user is None or not user.is_active:
        raise NotFound("There is no such link. Copy the whole address, or ask for another one.")
    if not default_token_generator.check_token(user, token):
        raise LinkOver("This link was used, or is too old. Ask for another one.")
    return user


@transaction.atomic
def reset(*, uid: str, token: str, password: str) -> User:
    """Afterwards the person signs in with the new password; the link is used up. Raises NotFound, LinkOver, Weak."""
    found = whose(uid, token)
    user = User.objects.select_for_update().get(pk=found.pk)
    whose(uid, token)  # nobody used it while we waited
    check(password, user)
    _set(user, password)
    return user


def _set(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    log.info("password changed", user=user.username)
    notify("access")
