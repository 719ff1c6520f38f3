"""Executions, as doors read them. Floor 1."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from ovd_saas.domain import executions as states
from ovd_saas.store.queries import pages, turns
from ovd_saas.store.records import Application, Execution, ExecutionEvent

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
    if before is not None:
        at, id_ = pages.after(before, pages.moment, UUID)
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=id_))
    return pages.page(rows, limit, lambda row: (row.created_at.isoformat(), str(row.pk)))


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
