"""The timeline of an application, as doors read it. Floor 1."""

from django.db.models import QuerySet

from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Transition


def all_of(application: Application) -> QuerySet[Transition]:
    """Newest first."""
    return Transition.objects.filter(application=application).order_by("-id")


def of(
    application: Application, *, before: str | None = None, limit: int = pages.USUAL_LIMIT
) -> pages.Page[Transition]:
    """A page of `all_of(application)`. Raises BadCursor."""
    rows = all_of(application)
    if before is not None:
        (id_,) = pages.after(before, int)
        rows = rows.filter(id__lt=id_)
    return pages.page(rows, limit, lambda row: (row.pk,))
