"""What AppCore asks for again and again reads no row of an application that is simply asleep."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import makers
from ovd_saas.appcore import baking
from ovd_saas.appcore.loops import reaping
from ovd_saas.appcore.loops.drifting import Drifting
from ovd_saas.appcore.loops.sourcing import Sourcing
from ovd_saas.appcore.loops.triggering import Triggering
from ovd_saas.store import facts
from ovd_saas.store.queries import batches, triggers
from ovd_saas.store.records import Application, SourceFile

DAILY = [{"address": "arrivals", "pattern": "*", "schedule": "0 3 * * *"}]
TABLES = ("store_application", "store_lookout", "store_release", "store_batch", "store_driftmeasure")
QUESTIONS: dict[str, Callable[[], Any]] = {
    "which are restless": facts.restless,
    "which sources are due": lambda: batches.to_pull(timezone.now()),
    "which sources are new": batches.unknown_sources,
    "which executions become samples": batches.from_executions,
    "which triggers are due": lambda: triggers.due(timezone.now()),
    "when the next trigger is due": triggers.earliest,
    "which versions are watched": baking.watched,
    "which leases ran out": reaping.tick,
}


def sleepers(count: int, since: int = 0) -> None:
    """A mixture, as loops leave it that have looked at each application once."""
    for number in range(since, since + count):
        learn = ({}, {"sources": DAILY}, {"schedule": "0 3 * * *"}, {"from_executions": True})[number % 4]
        made = makers.learning_application(
            f"sleeper-{number}", min_samples=1000, **learn, drift={} if number % 5 else None
        )
        makers.promotion(makers.model_version(made, snapshot=makers.snapshot(made)))
        makers.batch(made)
    makers.application(f"plain-{since}")
    settle()


def settle() -> Callable[[], None]:
    loops = (Sourcing().tick, Triggering().tick, Drifting().tick)
    for tick in loops:
        while tick():
            pass
    return lambda: [tick() for tick in loops] and None


def rows_read() -> dict[str, int]:
    """Of each table, in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = ANY(%s)", [list(TABLES)],
        )  # fmt: skip
        return dict(cursor.fetchall())


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_row_of_a_sleeping_application_is_read(question: str, db: None) -> None:
    sleepers(60)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; ANALYZE")  # so few rows are read as a whole where they may be
    before = rows_read()
    QUESTIONS[question]()
    read = {table: rows - before[table] for table, rows in rows_read().items()}
    assert max(read.values()) <= 6, read  # what stands first in an index; not some of each


def test_a_tick_asks_as_often_for_sixty_applications_as_for_six(db: None) -> None:
    asked, count = [], 0
    for more in (6, 54):
        sleepers(more, count)
        count += more
        ticks = settle()
        with CaptureQueriesContext(connection) as seen:
            ticks()
            facts.restless()
        asked.append(len(seen))
    assert asked[0] == asked[1] < 20


def test_a_new_release_has_its_sources_scheduled_anew(db: None) -> None:
    made = makers.learning_application("flow", sources=DAILY)
    settle()
    first = Application.objects.get(pk=made.pk).pull_at
    assert first is not None and first - timezone.now() < timedelta(days=1)
    weekly = [{**DAILY[0], "schedule": "0 3 * * 1"}]
    Application.objects.filter(pk=made.pk).update(release=makers.release(made, 2, learn={"sources": weekly}))
    settle()
    second = Application.objects.get(pk=made.pk).pull_at
    assert second is not None and second.isoweekday() == 1
    Application.objects.filter(pk=made.pk).update(release=makers.release(made, 3))
    settle()
    assert Application.objects.get(pk=made.pk).pull_at is None


def test_a_moment_that_is_not_due_by_the_release_that_came_meanwhile_is_no_pull(db: None) -> None:
    made = makers.learning_application("flow", sources=DAILY)
    settle()
    Application.objects.filter(pk=made.pk).update(
        pull_at=timezone.now(), release=makers.release(made, 2, learn={"sources": DAILY})
    )
    settle()
    assert not SourceFile.objects.exists()
