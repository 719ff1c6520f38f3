"""People, as doors read them: organisations and tokens. Floor 1."""

from django.db.models import QuerySet

from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import Organisation, Token, User


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
