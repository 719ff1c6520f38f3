"""Received: how much data came into an application, when, and what became of it, as doors read it. Floor 1."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from ovd_saas.domain import learning_runs as states
from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Batch, SourceFile

_PENDING = Q(step__isnull=True, taken_down_at__isnull=True)
_RELATED = ("created_by", "step")
STEPS = tuple(timedelta(seconds=one) for one in (1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400, 604_800, 2_592_000))
MOST_BARS = 60

_BARS = """
SELECT date_bin(%(step)s, created_at, %(origin)s) AS bar, kind, sum(samples), count(*)
FROM store_batch WHERE application_id = %(application)s AND created_at >= %(since)s AND created_at < %(until)s
GROUP BY bar, kind ORDER BY bar, kind
"""


@dataclass(frozen=True)
class Totals:
    """Over all batches, those too that were taken down."""

    batches: int
    samples: int
    size: int  # bytes
    pending: int  # samples that no learning run took yet
    pending_batches: int
    taken_down: int  # batches
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True)
class Bar:
    """What came in one stretch of time."""

    at: datetime  # its beginning
    samples: dict[str, int]  # by kind of batch
    batches: int


def totals(application: Application) -> Totals:
    """One query."""
    found = Batch.objects.filter(application=application).aggregate(
        all_batches=Count("id"),
        all_samples=Sum("samples", default=0),
        bytes=Sum("size", default=0),
        pending=Sum("samples", filter=_PENDING, default=0),
        pending_batches=Count("id", filter=_PENDING),
        taken_down=Count("id", filter=Q(taken_down_at__isnull=False)),
        first_at=Min("created_at"),
        last_at=Max("created_at"),
    )
    names = {"all_batches": "batches", "all_samples": "samples", "bytes": "size"}
    return Totals(**{names.get(name, name): value for name, value in found.items()})


def is_any(application: Application) -> bool:
    """Whether there is a batch that was not taken down."""
    return Batch.objects.filter(application=application, taken_down_at=None).exists()


def bars(application: Application, since: datetime, until: datetime) -> tuple[timedelta, list[Bar]]:
    """The stretches from `since` to `until`, empty ones too, and how long each is: the shortest of STEPS of which at
    most MOST_BARS are needed."""
    step = next((one for one in STEPS if (until - since) / one <= MOST_BARS), STEPS[-1])
    origin = datetime(2001, 1, 1, tzinfo=UTC)
    first = origin + (since - origin) // step * step
    count = int((until - first) / step) + 1
    found: dict[datetime, dict[str, int]] = {}
    batches: dict[datetime, int] = {}
    values: dict[str, Any] = {
        "application": application.pk,
        "step": step,
        "origin": origin,
        "since": first,
        "until": until,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BARS, values)
        for at, kind, samples, rows in cursor.fetchall():
            found.setdefault(at, {})[kind] = int(samples)
            batches[at] = batches.get(at, 0) + rows
    moments = [first + index * step for index in range(count)]
    return step, [Bar(at, found.get(at, {}), batches.get(at, 0)) for at in moments]


def batches(
    application: Application, *, before: str | None = None, limit: int = pages.USUAL_LIMIT
) -> pages.Page[Batch]:
    """Newest first, each with the run that took it. Raises BadCursor."""
    rows = _batches(application)
    if before is not None:
        (number,) = pages.after(before, int)
        rows = rows.filter(number__lt=number)
    return pages.page(rows, limit, lambda row: (row.number,))


def batch(application: Application, number: int) -> Batch | None:
    return _batches(application).filter(number=number).first()


def _batches(application: Application) -> QuerySet[Batch]:
    rows = Batch.objects.filter(application=application).select_related(*_RELATED)
    return rows.defer("step__log", "files").order_by("-number")


def status(batch: Batch) -> str:
    """taken_down, pending, learning or learned; of a batch that was read with its step."""
    if batch.taken_down_at is not None:
        return "taken_down"
    if batch.step is None:
        return "pending"
    return "learning" if batch.step.status in states.OPEN else "learned"


def source_files(application: Application, *, limit: int = 20) -> QuerySet[SourceFile]:
    """What was pulled lately, or could not be; the newest first."""
    rows = SourceFile.objects.filter(application=application).select_related("batch")
    return rows.order_by("-seen_at", "-id")[:limit]


def source_counts(application: Application) -> dict[str, tuple[int, int, datetime]]:
    """Files pulled, files that could not be, and when one was last seen, by address of the source."""
    rows = SourceFile.objects.filter(application=application).values_list("source")
    broken = Q(batch__isnull=True)
    found = rows.annotate(pulled=Count("id", filter=~broken), failed=Count("id", filter=broken), at=Max("seen_at"))
    return {source: (pulled, failed, at) for source, pulled, failed, at in found}
