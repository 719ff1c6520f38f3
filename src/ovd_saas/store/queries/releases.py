"""Releases, as doors read them. Floor 1."""

from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.db.models.functions import Length, Substr

from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Release


@dataclass(frozen=True)
class LogPiece:
    """What a build printed from some character on, and how far it is."""

    text: str
    length: int  # characters of the whole log so far
    state: str


def of(application: Application) -> QuerySet[Release]:
    """Newest first, without their logs."""
    rows = Release.objects.filter(application=application).select_related("created_by")
    return rows.defer("log").order_by("-number")


def page_of(
    application: Application, *, before: str | None = None, limit: int = pages.USUAL_LIMIT
) -> pages.Page[Release]:
    """A page of `of(application)`. Raises BadCursor."""
    rows = of(application)
    if before is not None:
        (number,) = pages.after(before, int)
        rows = rows.filter(number__lt=number)
    return pages.page(rows, limit, lambda row: (row.number,))


def by_number(application: Application, number: int) -> Release | None:
    rows = Release.objects.filter(application=application, number=number)
    return rows.select_related("application__organisation", "created_by").first()


def log_from(release_id: int, start: int) -> LogPiece:
    """What is there of the log after its first `start` characters."""
    rows = Release.objects.filter(pk=release_id).annotate(piece=Substr(F("log"), start + 1), log_length=Length("log"))
    text, length, state = rows.values_list("piece", "log_length", "state").get()
    return LogPiece(text, length, state)
