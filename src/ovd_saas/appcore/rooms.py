"""Rooms: have applications that are awake and do nothing give their memory to somebody who waits. Floor 2."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from ovd_saas.appcore import editions, processes
from ovd_saas.domain import admission, executions, service
from ovd_saas.domain import processes as states
from ovd_saas.engines.base import Engine
from ovd_saas.store import memory, transitions
from ovd_saas.store.records import Execution, Process, Runner

log = structlog.get_logger()
UNSEEN = timedelta(seconds=0.25)  # who was used a shorter time ago may run what is quick, which no row tells


def make(
    *,
    engine: Engine,
    runner: Runner,
    needs_mb: int,
    application: int | None,
    since: datetime | None,
    reason: str,
    now: datetime,
    settled: timedelta = UNSEEN,
) -> int:
    """Afterwards those that `domain.admission` chooses fall asleep, for this reason; how many do. Their memory is free
    when their processes have ended. Raises engines.base.RunnerDown."""
    standing = memory.standing(runner, now=now, in_full=True)
    if standing is None:
        return 0
    chosen = admission.give_way(
        needs_mb, standing, memory.holders(runner, now=now), application=application, since=since, now=now,
        settled=settled,
    )  # fmt: skip
    return sum(_put_to_sleep(engine, holder.application, reason, now) for holder in chosen)


def _put_to_sleep(engine: Engine, application_id: int, reason: str, now: datetime) -> bool:
    if not _drain(application_id, reason, now):
        return False
    log.info("an application gives its memory", application=application_id, reason=reason)
    for process_id in _serving(application_id):
        processes.drain(engine=engine, process_id=process_id, reason=reason, now=now)
    return True


@transaction.atomic
def _drain(application_id: int, reason: str, now: datetime) -> bool:
    """False: somebody came meanwhile."""
    application = editions.locked(application_id)
    open_ = Execution.objects.filter(application=application)
    is_idle = application.wake_asked_at is None and not any(
        open_.filter(status=status).exists() for status in (executions.QUEUED, executions.RUNNING)
    )
    return is_idle and transitions.move(
        application_id, "service", service.DRAIN, source=service.AWAKE, reason=reason, now=now
    ) is not None  # fmt: skip


def _serving(application_id: int) -> list[UUID]:
    rows = Process.objects.filter(application=application_id, kind=Process.SERVE)
    return list(rows.filter(state__in=(states.STARTING, states.READY)).values_list("pk", flat=True))
