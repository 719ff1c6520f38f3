"""People, as doors read them: users with their roles, invitations, organisations and tokens. Floor 1."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import Invitation, Membership, Organisation, Token, User


def organisation(slug: str) -> Organisation | None:
    return Organisation.objects.filter(slug=slug).first()


def organisations_of(viewer: Viewer) -> QuerySet[Organisation]:
    """Those in which the viewer has a role; staff see all."""
    rows = Organisation.objects.order_by("slug")
    return rows if viewer.is_staff else rows.filter(slug__in=list(viewer.roles))


def user(id_: int) -> User:
    return User.objects.get(pk=id_)


def tokens_of(user_id: int) -> QuerySet[Token]:
    """The user's tokens that still open something, newest first."""
    return Token.objects.filter(user_id=user_id, revoked_at=None).order_by("-pk")


@dataclass(frozen=True)
class Person:
    """A user, with the roles that the viewer may know of."""

    user: User
    memberships: list[Membership]  # with their organisation
    invited_by: User | None
    has_more: bool  # roles elsewhere


def found(organisations: list[str] | None, *, text: str = "", organisation: str = "") -> QuerySet[User]:
    """Users with a role in one of these organisations, None: all users; whose name, e-mail or organisation has every
    word of `text`; with a role in `organisation`."""
    rows = User.objects.order_by("-is_active", "username")
    if organisations is not None:
        rows = rows.filter(memberships__organisation__slug__in=organisations)
    if organisation:
        rows = rows.filter(pk__in=Membership.objects.filter(organisation__slug=organisation).values("user"))
    for word in text.split():
        within = Q(username__icontains=word) | Q(email__icontains=word) | Q(first_name__icontains=word)
        within |= Q(last_name__icontains=word) | Q(memberships__organisation__slug__icontains=word)
        rows = rows.filter(within)
    return rows.distinct()


def persons(users: list[User], organisations: list[str] | None) -> list[Person]:
    """These users as the viewer may see them; two queries for all."""
    rows = Membership.objects.filter(user__in=users).select_related("organisation").order_by("organisation__slug")
    by_user: dict[int, list[Membership]] = {user.pk: [] for user in users}
    hidden: set[int] = set()
    for row in rows:
        if organisations is None or row.organisation.slug in organisations:
            by_user[row.user_id].append(row)
        else:
            hidden.add(row.user_id)
    accepted = Invitation.objects.filter(accepted_by__in=users).select_related("created_by").order_by("accepted_at")
    inviters = {row.accepted_by_id: row.created_by for row in reversed(accepted)}
    return [Person(one, by_user[one.pk], inviters.get(one.pk), one.pk in hidden) for one in users]


def by_name(username: str) -> User | None:
    return User.objects.filter(username=username).first()


def by_email(email: str) -> list[User]:
    """Who may sign in and has this address; a name is taken for one, too."""
    return list(User.objects.filter(Q(email__iexact=email) | Q(username=email), is_active=True).exclude(email="")[:5])


def invitations(organisations: list[str] | None, now: datetime) -> QuerySet[Invitation]:
    """Those that can still be used, the newest first; None: of all organisations."""
    rows = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)
    if organisations is not None:
        rows = rows.filter(organisation__slug__in=organisations)
    return rows.select_related("organisation", "created_by").order_by("-created_at")


def invitation(id_: int) -> Invitation | None:
    return Invitation.objects.select_related("organisation").filter(pk=id_).first()


def members(organisation: Organisation) -> QuerySet[Membership]:
    """By name."""
    return Membership.objects.filter(organisation=organisation).select_related("user").order_by("user__username")
