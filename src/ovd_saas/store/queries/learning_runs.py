"""Learning runs, as doors read them. Floor 1.

Whoever writes events of a run first writes or locks its row in the same transaction. So the ids of one run become
visible in their order, and "everything after this id" never misses one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from ovd_saas.domain import learning_runs as states
from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, LearningEvent, LearningRun, Snapshot, TriggerEvaluation

MOST = 500  # events read at once
POINTS = 500  # of a curve, at most

_RELATED = ("application__organisation", "release", "parent", "snapshot", "candidate")
_LONG = ("log", "snapshot__batches")

_CURVES = """
SELECT name, coalesce(step, place), value, at FROM (
    SELECT body->>'name' AS name, (body->>'step')::float8 AS step, (body->>'value')::float8 AS value, at, id,
           row_number() OVER (PARTITION BY body->>'name' ORDER BY id) - 1 AS place,
           count(*) OVER (PARTITION BY body->>'name') AS total
    FROM store_learningevent WHERE run_id = %(run)s AND kind = 'metric'
) AS told
WHERE total <= %(most)s OR place = 0
   OR place * (%(most)s - 1) / (total - 1) <> (place - 1) * (%(most)s - 1) / (total - 1)
ORDER BY name, id
"""


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    step: float  # as `learn` said it, else its place: 0, 1, 2 …
    value: float
    at: datetime


def all_of(application: Application) -> QuerySet[LearningRun]:
    """Every run of an application, newest first, without logs and lists of batches."""
    rows = LearningRun.objects.filter(application=application).select_related(*_RELATED)
    return rows.defer(*_LONG).order_by("-number")


def recent(
    application: Application,
    *,
    before: str | None = None,
    limit: int = pages.USUAL_LIMIT,
    statuses: Collection[str] = (),
    trigger: str = "",
) -> pages.Page[LearningRun]:
    """A page of `all_of(application)`; no statuses = any, no trigger likewise. Raises BadCursor."""
    rows = all_of(application)
    if trigger:
        rows = rows.filter(trigger=trigger)
    if statuses:
        rows = rows.filter(status__in=list(statuses))
    if before is not None:
        (number,) = pages.after(before, int)
        rows = rows.filter(number__lt=number)
    return pages.page(rows, limit, lambda row: (row.number,))


def by_id(id_: UUID) -> LearningRun | None:
    return LearningRun.objects.select_related(*_RELATED).defer(*_LONG).filter(pk=id_).first()


def by_number(application: Application, number: int) -> LearningRun | None:
    return all_of(application).filter(number=number).first()


def open_run(application: Application) -> LearningRun | None:
    """The one that waits, learns, pauses or is evaluated now."""
    return all_of(application).filter(status__in=states.OPEN).first()


def awaiting(application: Application) -> list[LearningRun]:
    """Those whose candidates wait for a person, newest first."""
    return list(all_of(application).filter(status=states.AWAITING))


def batches_of(run: LearningRun) -> tuple[int, int] | None:
    """The numbers of the first and the last batch in its snapshot; None when it has none yet, or an empty one."""
    return bounds([run.snapshot_id]).get(run.snapshot_id or 0)


def bounds(snapshot_ids: Iterable[int | None]) -> dict[int, tuple[int, int]]:
    """The numbers of the first and the last batch of each of these snapshots that has any; one query for all."""
    wanted = {id_ for id_ in snapshot_ids if id_ is not None}
    rows = Snapshot.objects.filter(pk__in=wanted).values_list("pk", "batches__0__0", "last") if wanted else []
    return {id_: (first, last) for id_, first, last in rows if first is not None}


def events_after(run_id: UUID, last: int) -> list[LearningEvent]:
    """At most MOST events after the id `last`, in order."""
    return list(LearningEvent.objects.filter(run_id=run_id, id__gt=last).order_by("id")[:MOST])


def last_event_id(run_id: UUID) -> int:
    """The id of the newest event; 0 when there is none."""
    rows = LearningEvent.objects.filter(run_id=run_id).order_by("-id")
    return rows.values_list("id", flat=True).first() or 0


def log(run_id: UUID) -> str:
    """What the run printed: all of it, or up to now."""
    kept = LearningRun.objects.values_list("log", flat=True).get(pk=run_id)
    if kept:
        return kept
    rows = LearningEvent.objects.filter(run_id=run_id, kind="log").order_by("id")
    return "".join(str(text or "") for text in rows.values_list("body__text", flat=True))


def curves(run_id: UUID, *, most: int = POINTS) -> dict[str, list[Point]]:
    """The metrics that the run told over time, by name, in order; of a long one at most `most` points, evenly chosen,
    the first and the last among them."""
    found: dict[str, list[Point]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CURVES, {"run": run_id, "most": most})
        for name, step, value, at in cursor.fetchall():
            if value is not None:
                found.setdefault(name, []).append(Point(step, value, at))
    return found


def usual_seconds(application: Application, *, latest: int = 10) -> tuple[float, int] | None:
    """How long one that learned to its end usually takes, from its beginning to its verdict: the median of the latest
    ones, and of how many; None without any."""
    rows = LearningRun.objects.filter(application=application, candidate__isnull=False, started_at__isnull=False)
    spans = rows.filter(finished_at__isnull=False).order_by("-number").values_list("started_at", "finished_at")
    seconds = sorted((end - begin).total_seconds() for begin, end in spans[:latest] if begin and end)
    return (seconds[len(seconds) // 2], len(seconds)) if seconds else None


def snapshot_batches(run: LearningRun) -> list[tuple[int, int]]:
    """The batches in its snapshot: number and samples, in order."""
    if run.snapshot_id is None:
        return []
    found: list[list[object]] = Snapshot.objects.values_list("batches", flat=True).get(pk=run.snapshot_id)
    return [(int(str(one[0])), int(str(one[2]))) for one in found]


def story(run_id: UUID, *, most: int = 200) -> list[LearningEvent]:
    """How it went from state to state, where it began anew and where it saved a checkpoint; the latest, in order."""
    rows = LearningEvent.objects.filter(run_id=run_id, kind__in=("status", "started", "checkpoint"))
    return list(rows.order_by("-id")[:most])[::-1]


def evaluations(run: LearningRun) -> list[TriggerEvaluation]:
    """What made it due, in order."""
    return list(TriggerEvaluation.objects.filter(run=run).order_by("id")[:20])
