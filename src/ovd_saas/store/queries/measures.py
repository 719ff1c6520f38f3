"""Measures: how busy a machine was over time. Floor 1."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ovd_saas.store.records import Measure

SPANS = {  # name -> how far back, and how long a point of the curve is
    "hour": (timedelta(hours=1), timedelta(minutes=1)),
    "day": (timedelta(days=1), timedelta(minutes=10)),
    "week": (timedelta(days=7), timedelta(hours=1)),
}

_CURVES = """
    SELECT runner_id, date_bin(%(step)s, at, %(origin)s) AS moment, avg(busy_cpus)::float8, max(busy_cpus)::float8,
        avg(used_mb)::float8, max(admitted_mb), max(processes), max(waiting)
    FROM store_measure WHERE runner_id = ANY(%(runners)s) AND at >= %(since)s
    GROUP BY runner_id, moment ORDER BY runner_id, moment"""


@dataclass(frozen=True)
class Point:
    """What a machine did in one stretch of a curve."""

    at: datetime
    busy_cpus: float  # on average
    most_cpus: float  # in its busiest minute
    used_mb: float  # on average
    admitted_mb: int  # at most
    processes: int  # at most
    waiting: int  # at most


def curves(runner_ids: Iterable[int], span: str, *, now: datetime) -> dict[int, list[Point]]:
    """The points of each of these runners, oldest first, by its id; one query for all. A stretch in which nothing was
    measured has no point."""
    length, step = SPANS[span]
    ids = list(runner_ids)
    found: dict[int, list[Point]] = {id_: [] for id_ in ids}
    origin = datetime(2001, 1, 1, tzinfo=now.tzinfo)
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"runners": ids, "since": now - length, "step": step, "origin": origin}
        cursor.execute(_CURVES, asked)
        for runner_id, *values in cursor.fetchall():
            found[runner_id].append(Point(*values))
    return found


def is_any() -> bool:
    """Whether anything was ever measured."""
    return Measure.objects.exists()


def prune(before: datetime) -> int:
    """Afterwards none is older; how many went."""
    return Measure.objects.filter(at__lt=before).delete()[0]
