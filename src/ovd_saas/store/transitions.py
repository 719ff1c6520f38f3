"""Transitions: the only place that writes a state; each write names the old one and is recorded. Floor 1.

A write that changes zero rows means that somebody was faster; the caller gets None or False, never an error.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Model

from ovd_saas.domain import executions, learning_runs, outlook, service, status
from ovd_saas.domain import learning as region
from ovd_saas.domain.executions import EXECUTION
from ovd_saas.domain.health import HEALTH
from ovd_saas.domain.learning import LEARNING_REGION
from ovd_saas.domain.learning_runs import LEARNING_RUN
from ovd_saas.domain.machine import Machine
from ovd_saas.domain.models import MODEL
from ovd_saas.domain.processes import PROCESS
from ovd_saas.domain.releases import RELEASE
from ovd_saas.domain.service import SERVICE
from ovd_saas.domain.status import STATUS
from ovd_saas.store import statements
from ovd_saas.store.notices import CHANNEL, notify
from ovd_saas.store.records import (
    Application,
    Execution,
    LearningEvent,
    LearningRun,
    ModelVersion,
    Process,
    Release,
    Transition,
)

REGIONS: dict[str, Machine] = {
    "status": STATUS,
    "service": SERVICE,
    "learning": LEARNING_REGION,
    "health": HEALTH,
}


@transaction.atomic
def move(
    application_id: int,
    region: str,
    event: str,
    *,
    reason: str,
    now: datetime,
    source: str | None = None,
    cause: str = "",
    actor: str = "appcore",
    **also: Any,
) -> str | None:
    """Cause an event in a region of an application; the state after, or None when it is not possible (any more).

    `source` is the state that the decision saw; without it, the present one. `also` are further columns of the
    application that change with it.
    """
    machine = REGIONS[region]
    if source is None:
        source = Application.objects.values_list(region, flat=True).get(pk=application_id)
    target = machine.target(source, event)
    if target is None:
        return None
    changed = {region: target, "since": now, "reason": reason, **also}
    if not Application.objects.filter(pk=application_id, **{region: source}).update(**changed):
        return None
    record(application_id, region, source, target, event, reason=reason, now=now, cause=cause, actor=actor)
    return target


_WAKE = f"""
    WITH moved AS (
        UPDATE store_application SET service = %(target)s, since = %(now)s, reason = %(reason)s
        WHERE id = %(application)s AND service = %(source)s AND status = '{status.ENABLED}' RETURNING id
    ), noted AS (
        INSERT INTO store_transition (application_id, region, source, target, event, reason, cause, actor, at)
        SELECT id, 'service', %(source)s::text, %(target)s::text, %(event)s::text, %(reason)s::text, coalesce((
            SELECT 'execution:' || waiting.id FROM store_execution AS waiting
            WHERE waiting.application_id = moved.id AND waiting.status = 'queued' ORDER BY created_at LIMIT 1
        ), %(cause)s::text), 'appcore', %(now)s FROM moved
    ), begun AS (
        INSERT INTO store_process ({{columns}}) SELECT {{values}} FROM moved
    )
    SELECT pg_notify('{CHANNEL}', json_build_object('about', 'application', 'id', id)::text),
        pg_notify('{CHANNEL}', json_build_object('about', 'processes', 'application', id)::text)
    FROM moved"""  # noqa: S608 - names of columns, and constants


@lru_cache(maxsize=1)
def _wake() -> str:
    fields = Process._meta.concrete_fields
    values = [f"%(p_{field.attname})s::{field.db_type(connection)}" for field in fields]
    return _WAKE.format(columns=", ".join(str(field.column) for field in fields), values=", ".join(values))


def wake(process: Process, *, source: str, reason: str, now: datetime, cause: str = "") -> bool:
    """Afterwards its application wakes, and this process is noted as starting: in one statement, so that either both
    are so, or neither, because it is not in that state any more or may not be served. `cause` counts where nobody waits
    in the database."""
    target = SERVICE.target(source, service.WAKE)
    if target is None:
        return False
    named: dict[str, Any] = {
        f"p_{field.attname}": field.get_db_prep_save(getattr(process, field.attname), connection)
        for field in Process._meta.concrete_fields
    }
    found: dict[str, Any] = {
        "application": process.application_id,
        "source": source,
        "target": target,
        "event": service.WAKE,
        "reason": reason,
        "cause": cause,
        "now": now,
    }
    return bool(statements.run(_wake(), found | named))


def record(
    application_id: int,
    region: str,
    source: str,
    target: str,
    event: str,
    *,
    reason: str,
    now: datetime,
    cause: str = "",
    actor: str = "appcore",
) -> None:
    """One row of the timeline, and the notice that goes with it."""
    Transition.objects.create(
        application_id=application_id,
        region=region,
        source=source,
        target=target,
        event=event,
        reason=reason,
        cause=cause,
        actor=actor,
        at=now,
    )
    notify("application", id=application_id)


_EXECUTION = f"""
    WITH changed AS (
        UPDATE store_execution SET {{values}}
        WHERE id = %(id)s AND status = ANY(%(sources)s) AND (%(lease)s::bigint IS NULL OR lease = %(lease)s)
        RETURNING id, application_id
    ), told AS (
        INSERT INTO store_executionevent (execution_id, kind, body, at)
        SELECT id, 'status', json_build_object('status', %(target)s::text), %(now)s FROM changed
    )
    SELECT pg_notify('{CHANNEL}', json_build_object(
        'about', 'execution', 'id', id, 'application', application_id, 'status', %(target)s)::text),
        CASE WHEN %(target)s = '{executions.QUEUED}' THEN pg_notify('{CHANNEL}', json_build_object(
        'about', 'queue', 'application', application_id)::text) END
    FROM changed"""  # noqa: S608 - names of columns, and constants


def execution(
    id_: UUID, event: str, *, now: datetime, lease: int | None = None, source: str | None = None, **values: Any
) -> bool:
    """Cause an event of an execution, in one statement. With `lease`, only while that lease is the current one.

    `source` narrows the states it may come from. A final state also sets `finished_at`.
    """
    sources = [source] if source else list(EXECUTION.sources(event))
    target = next(row.target for row in EXECUTION.transitions if row.event == event)
    values = {"status": target, **values}
    if target in executions.FINAL:
        values = {"finished_at": now, "lease_until": None, **values}
    changed, given = _changed(Execution, values)
    found = {"id": id_, "sources": sources, "lease": lease, "target": target, "now": now}
    return bool(statements.run(_EXECUTION.format(values=changed), found | given))


def _changed(kind: type[Model], values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The assignments of an UPDATE, and the values that they name."""
    fields: list[Any] = [kind._meta.get_field(name) for name in values]
    assignments = ", ".join(f"{field.column} = %(of_{field.name})s" for field in fields)
    given = zip(fields, values.values(), strict=True)
    return assignments, {
        f"of_{field.name}": field.get_db_prep_save(getattr(value, "pk", value), connection) for field, value in given
    }


@transaction.atomic
def process(id_: UUID, event: str, *, now: datetime, **values: Any) -> str | None:
    """Cause an event of a process; its state before, or None when it is not possible (any more)."""
    for source in PROCESS.sources(event):
        values = {"state": PROCESS.target(source, event), **values}
        if Process.objects.filter(pk=id_, state=source).update(**values):
            application_id = Process.objects.values_list("application_id", flat=True).get(pk=id_)
            notify("processes", application=application_id)
            return source
    return None


_STARTS = f"""
    UPDATE store_application AS application SET start_failures = 0, retry_at = NULL
    FROM store_process AS process
    WHERE process.id = %(process)s AND process.kind = '{Process.SERVE}' AND application.id = process.application_id
    RETURNING (process.release_id, process.model_id)
        IS NOT DISTINCT FROM (application.release_id, application.model_id)"""  # noqa: S608 - a constant


def starts(process_id: UUID) -> bool:
    """The application of this process starts, so earlier failures no longer count; whether that is all, as the process
    serves the current edition. It is locked until the transaction ends."""
    rows = statements.run(_STARTS, {"process": process_id})
    return bool(rows and rows[0][0])


@transaction.atomic
def release(id_: int, event: str, **values: Any) -> bool:
    """Cause an event of a release."""
    source = RELEASE.sources(event)[0]
    target = RELEASE.follow(source, event)
    if not Release.objects.filter(pk=id_, state=source).update(state=target, **values):
        return False
    application_id = Release.objects.values_list("application_id", flat=True).get(pk=id_)
    notify("release", id=id_, application=application_id)
    return True


_MOVES = {  # event of a run -> the events of its application's learning region that go with it, the first legal one
    learning_runs.BEGIN: (region.BEGIN,),
    learning_runs.PAUSE: (region.PAUSE,),
    learning_runs.EVALUATE: (region.EVALUATE,),
    learning_runs.REQUEUE: (region.LOSE, region.PAUSE),
    learning_runs.FAIL: (region.FAIL,),
    learning_runs.CANCEL: (region.CANCEL,),
    learning_runs.PROMOTE: (region.SETTLE,),
    learning_runs.REJECT: (region.SETTLE,),
    learning_runs.ASK: (region.SETTLE,),
}


@transaction.atomic
def learning_run(
    id_: UUID,
    event: str,
    *,
    reason: str,
    now: datetime,
    lease: int | None = None,
    actor: str = "appcore",
    **values: Any,
) -> str | None:
    """Cause an event of a learning run, and of its application's learning region with it; the run's state after, or
    None when it is not possible (any more). With `lease`, only while that lease is the current one."""
    application = Application.objects.filter(learning_runs=id_).select_for_update().first()  # always before its run
    run = LearningRun.objects.select_for_update().filter(pk=id_).first()
    if application is None or run is None or (lease is not None and run.lease != lease):
        return None
    target = LEARNING_RUN.target(run.status, event)
    if target is None:
        return None
    is_open = run.status in learning_runs.OPEN
    if is_open and not _moved(run, application, event, reason=reason, now=now, actor=actor):
        transaction.set_rollback(True)
        return None
    values = {"status": target, "reason": reason, **values}
    if target not in learning_runs.OPEN:
        values = {"lease_until": None, "process": None, **values}
    if target in (*learning_runs.FINAL, learning_runs.AWAITING):
        values = {"finished_at": now, **values}
    LearningRun.objects.filter(pk=id_).update(**values)
    LearningEvent.objects.create(run_id=id_, kind="status", body={"status": target, "reason": reason}, at=now)
    notify("learning", application=run.application_id, run=id_)
    return target


def _moved(run: LearningRun, application: Application, event: str, *, reason: str, now: datetime, actor: str) -> bool:
    """Whether the learning region went along. Of one that is simply asleep then, nobody else says what is next."""
    state = application.learning
    first = next((move for move in _MOVES[event] if LEARNING_REGION.target(state, move)), None)
    if first is None:
        return False
    is_at_rest = LEARNING_REGION.target(state, first) == region.RESTING and application.service == service.ASLEEP
    also: dict[str, Any] = {"next_what": outlook.SLEEPS_ON, "next_at": None} if is_at_rest else {}
    moved = move(
        application.pk, "learning", first, source=state, reason=reason, now=now, actor=actor,
        cause=f"learning-run:{run.number}", **also,
    )  # fmt: skip
    return moved is not None


@transaction.atomic
def model(id_: int, event: str, **values: Any) -> bool:
    """Cause an event of a model version."""
    for source in MODEL.sources(event):
        if ModelVersion.objects.filter(pk=id_, state=source).update(state=MODEL.follow(source, event), **values):
            notify("model", application=ModelVersion.objects.values_list("application_id", flat=True).get(pk=id_))
            return True
    return False
