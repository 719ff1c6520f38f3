"""Executions, as doors read them. Floor 1."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from ovd_saas.domain import executions as states
from ovd_saas.store.queries import pages, turns
from ovd_saas.store.records import Application, Execution, ExecutionEvent, Membership, Process, Release, Transition

WINDOW = 20_000  # executions that one page of a search looks through: what is rare costs no more than what is not
LATELY = 200  # executions that say how long one usually takes
LONGEST_CHAIN = 10  # executions that were run again from one another

_CHAIN = """
    WITH RECURSIVE chain AS (
        SELECT id, cause, created_at, created_by_id, caller, 0 AS depth FROM store_execution WHERE id = %(id)s
        UNION ALL
        SELECT earlier.id, earlier.cause, earlier.created_at, earlier.created_by_id, earlier.caller, depth + 1
        FROM chain JOIN store_execution AS earlier ON earlier.id = (chain.cause ->> 'execution')::uuid
        WHERE chain.cause ->> 'kind' = 'again' AND depth < %(longest)s
    )
    SELECT chain.id, chain.cause ->> 'kind', chain.created_at, coalesce(person.username, chain.caller)
    FROM chain LEFT JOIN store_user AS person ON person.id = created_by_id WHERE depth > 0 ORDER BY depth"""

_RELATED = ("application__organisation", "release", "model", "created_by")


def all_of(application: Application) -> QuerySet[Execution]:
    """Every execution of an application, newest first, without their logs."""
    rows = Execution.objects.filter(application=application).select_related(*_RELATED).defer("log")
    return rows.order_by("-created_at", "-id")


def recent(
    application: Application,
    *,
    before: str | None = None,
    limit: int = pages.USUAL_LIMIT,
    statuses: Collection[str] = (),
) -> pages.Page[Execution]:
    """A page of `all_of(application)`; no statuses = any. Raises BadCursor."""
    rows = all_of(application)
    if statuses:
        rows = rows.filter(status__in=list(statuses))
    return _page(_after(rows, before), limit)


@dataclass(frozen=True)
class Wanted:
    """Which executions somebody looks for; what is empty says nothing."""

    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    who: str = ""  # a user name
    release: int | None = None  # its number
    id_text: str = ""  # a part of the id, in lower case

    @property
    def needs_looking(self) -> bool:
        """Whether no index gives just these."""
        return bool(self.status or self.who or self.release is not None or self.id_text)


@dataclass(frozen=True)
class Search:
    """A page of what was found; `looked_to`: how far back it looked, None when the page is full or nothing is left."""

    page: pages.Page[Execution]
    looked_to: datetime | None


def search(application: Application, wanted: Wanted, *, before: str | None = None, limit: int) -> Search:
    """Newest first, of at most WINDOW executions; from there the cursor goes on. Raises BadCursor."""
    rows = all_of(application)
    if (whole := _whole(wanted.id_text)) is not None:
        rows = rows.filter(pk=whole)
        return Search(_page(_after(_matching(rows, wanted, is_whole=True), before), limit), None)
    if wanted.since:
        rows = rows.filter(created_at__gte=wanted.since)
    if wanted.until:
        rows = rows.filter(created_at__lt=wanted.until)
    rows = _after(rows, before)
    if not wanted.needs_looking:
        return Search(_page(rows, limit), None)
    moments = rows.select_related(None).order_by("-created_at").values_list("created_at", flat=True)
    end = moments[WINDOW : WINDOW + 1].first()
    page = _page(_matching(rows.filter(created_at__gte=end) if end else rows, wanted), limit)
    if page.next is not None or end is None:
        return Search(page, None)
    return Search(pages.Page(page.items, pages.cursor(end.isoformat(), str(UUID(int=0)))), end)


def releases_of(application: Application, *, limit: int = 50) -> list[int]:
    """Numbers of the latest releases, by which one can search."""
    rows = Release.objects.filter(application=application).order_by("-number")
    return list(rows.values_list("number", flat=True)[:limit])


def people_of(application: Application, *, limit: int = 200) -> list[str]:
    """Names of the members of its organisation, by which one can search."""
    rows = Membership.objects.filter(organisation=application.organisation_id).order_by("user__username")
    return list(rows.values_list("user__username", flat=True)[:limit])


def _matching(rows: QuerySet[Execution], wanted: Wanted, *, is_whole: bool = False) -> QuerySet[Execution]:
    if wanted.status:
        rows = rows.filter(status=wanted.status)
    if wanted.who:
        rows = rows.filter(created_by__username=wanted.who)
    if wanted.release is not None:
        rows = rows.filter(release__number=wanted.release)
    if wanted.id_text and not is_whole:
        rows = rows.alias(id_text=Cast("id", CharField())).filter(id_text__contains=wanted.id_text)
    return rows


def _whole(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text.replace("-", "")) == 32 else None
    except ValueError:
        return None


def _after(rows: QuerySet[Execution], before: str | None) -> QuerySet[Execution]:
    """Raises BadCursor."""
    if before is None:
        return rows
    at, id_ = pages.after(before, pages.moment, UUID)
    earlier = Q(created_at__lt=at) | Q(created_at=at, id__lt=id_)
    return rows.filter(earlier, created_at__lte=at)  # the last one is what the index goes by


def _page(rows: QuerySet[Execution], limit: int) -> pages.Page[Execution]:
    return pages.page(rows, limit, lambda row: (row.created_at.isoformat(), str(row.pk)))


def usual_seconds(execution: Execution, *, least: int = 3) -> float | None:
    """How long one of this application usually takes, by the latest of the same release that succeeded; None when fewer
    than `least` did."""
    rows = Execution.objects.filter(application=execution.application_id).order_by("-created_at")
    latest = rows.values_list("status", "seconds", "release_id")[:LATELY]
    release = execution.release_id or execution.application.release_id
    known = [seconds for status, seconds, of in latest if status == states.SUCCEEDED and seconds and of == release]
    return median(known) if len(known) >= least else None


@dataclass(frozen=True)
class Earlier:
    """An execution of which another one is a repetition."""

    id: UUID
    kind: str  # of its own cause
    created_at: datetime
    who: str


def chain(execution: Execution) -> list[Earlier]:
    """What it was run again from, and so on back, the latest first."""
    if execution.cause.get("kind") != "again":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN, {"id": execution.pk, "longest": LONGEST_CHAIN})
        return [Earlier(*row) for row in cursor.fetchall()]


def effects(execution: Execution, *, limit: int = 6) -> list[Transition]:
    """The changes of states that it caused, the first one first."""
    return list(Transition.objects.filter(cause=f"execution:{execution.pk}").order_by("id")[:limit])


def process_of(execution: Execution) -> Process | None:
    """The process that ran it, while that is on record."""
    return Process.objects.select_related("runner").filter(pk=execution.process).first() if execution.process else None


def unlabelled(application: Application, *, limit: int = 6) -> list[Execution]:
    """The latest that succeeded and of which nobody said what was right, of the latest LATELY."""
    ids = Execution.objects.filter(application=application).order_by("-created_at").values("pk")[:LATELY]
    rows = all_of(application).filter(pk__in=ids, status=states.SUCCEEDED, feedback__isnull=True, taken_down_at=None)
    return list(rows[:limit])


def by_id(id_: UUID) -> Execution | None:
    return Execution.objects.select_related(*_RELATED).filter(pk=id_).first()


def position(execution: Execution) -> int | None:
    """Its place in the fair queue of its application (`domain.outcomes.fair`), 1 = next; None when it does not wait."""
    return positions([execution]).get(execution.pk)


def positions(executions: Iterable[Execution]) -> dict[UUID, int]:
    """The places of those that wait; one query for each application with one."""
    found: dict[UUID, int] = {}
    for application_id in {row.application_id for row in executions if row.status == states.QUEUED}:
        with connection.cursor() as cursor:
            cursor.execute(turns.ORDER, {"application": application_id, "before": "infinity"})
            found.update(cursor.fetchall())
    return found


def files_of(execution: Execution) -> dict[str, dict[str, Any]]:
    """The files that its inputs and outputs refer to, {name, media_type, size in bytes, digest} by digest."""
    return {file["digest"]: file for file in _files([execution.inputs, execution.outputs])}


def file_digests(execution: Execution) -> set[str]:
    """Of all its files, those too that it only streamed and then failed."""
    streamed = ExecutionEvent.objects.filter(execution=execution, kind="output").values_list("body", flat=True)
    return digests_in([execution.inputs, execution.outputs, *streamed])


def digests_in(values: Any) -> set[str]:
    """Of all files among these values."""
    return {file["digest"] for file in _files(values)}


def is_file(value: dict[str, Any]) -> bool:
    """Whether it is {name, media_type, size, digest}."""
    return isinstance(value.get("digest"), str) and "media_type" in value and "size" in value


def _files(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for part in value:
            yield from _files(part)
    elif isinstance(value, dict):
        if is_file(value):
            yield value
        else:
            yield from _files(list(value.values()))
