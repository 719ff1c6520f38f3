"""Events of executions, as streams read them. Floor 1.

Whoever writes events of an execution first writes or locks its row in the same transaction. So the ids of one
execution become visible in their order, and "everything after this id" never misses one.
"""

from uuid import UUID

from ovd_saas.store.records import ExecutionEvent

MOST = 500  # rows read at once


def after(execution_id: UUID, last: int) -> list[ExecutionEvent]:
    """At most MOST events after the id `last`, in order."""
    rows = ExecutionEvent.objects.filter(execution_id=execution_id, id__gt=last)
    return list(rows.order_by("id")[:MOST])


def last_id(execution_id: UUID) -> int:
    """The id of the newest event; 0 when there is none."""
    rows = ExecutionEvent.objects.filter(execution_id=execution_id).order_by("-id")
    return rows.values_list("id", flat=True).first() or 0


def kinds(execution_id: UUID) -> set[str]:
    rows = ExecutionEvent.objects.filter(execution_id=execution_id).order_by()
    return set(rows.values_list("kind", flat=True).distinct())


def streamed_outputs(execution_id: UUID) -> set[str]:
    """Names of the outputs that events told."""
    rows = ExecutionEvent.objects.filter(execution_id=execution_id, kind="output").order_by()
    return set(rows.values_list("body__name", flat=True))


def log_so_far(execution_id: UUID) -> str:
    """What an execution that has not finished printed up to now."""
    rows = ExecutionEvent.objects.filter(execution_id=execution_id, kind="log").order_by("id")
    return "".join(str(text or "") for text in rows.values_list("body__text", flat=True))
