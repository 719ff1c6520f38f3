"""Releases, as doors read them. Floor 1."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.db.models.functions import Length, Substr

from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Release

MOST_SHARING = 12  # applications named that share an environment


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


def understood_before(application: Application, number: int) -> Release | None:
    """The newest one before that number whose manifest is known; what a release is compared with."""
    return of(application).filter(number__lt=number).exclude(manifest={}).first()


def numbers(application: Application) -> list[tuple[int, str]]:
    """Number and state of the latest ones, newest first: what a release can be compared with."""
    return list(
        Release.objects.filter(application=application).order_by("-number").values_list("number", "state")[:200]
    )


def newest(application: Application) -> int:
    return Release.objects.filter(application=application).order_by("-number").values_list("number", flat=True)[0]


def sharing(release: Release, organisations: Collection[str] | None) -> list[str]:
    """Addresses of other applications with the same environment, among those of these organisations; None: all."""
    if not release.environment:
        return []
    rows = Application.objects.filter(releases__environment=release.environment).exclude(pk=release.application_id)
    if organisations is not None:
        rows = rows.filter(organisation__slug__in=organisations)
    rows = rows.select_related("organisation").order_by("organisation__slug", "name").distinct()
    return [row.address for row in rows[:MOST_SHARING]]


def log_from(release_id: int, start: int) -> LogPiece:
    """What is there of the log after its first `start` characters."""
    rows = Release.objects.filter(pk=release_id).annotate(piece=Substr(F("log"), start + 1), log_length=Length("log"))
    text, length, state = rows.values_list("piece", "log_length", "state").get()
    return LogPiece(text, length, state)
