"""Claims: who may run an execution now. A lease is a fencing token with an end: only its holder may finish. Floor 1.

Every function is one transaction that names the state (and the lease) it starts from; when somebody was faster it
changes nothing and says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from ovd_saas.domain import executions, outcomes, processes
from ovd_saas.store import statements, transitions
from ovd_saas.store.notices import CHANNEL, notify
from ovd_saas.store.queries import turns
from ovd_saas.store.records import Execution, ExecutionEvent, Process

LEASE = timedelta(seconds=10)
DEFAULT_ATTEMPTS = 3  # when the manifest says nothing
_CANDIDATES = 8  # looked at in one claim: others may hold the first ones


class Nothing(Enum):
    """Why a claim got no execution."""

    EMPTY = "nobody waits"
    FULL = "the process runs as many as it can"
    GONE = "the process takes no more work"
    BUSY = "somebody else claims for this process at this moment"


@dataclass(frozen=True)
class Result:
    """How an execution ended, as it is archived."""

    event: str  # executions.SUCCEED, REJECT or FAIL
    outputs: Mapping[str, Any] | None  # canonical values, files as {name, media_type, size, digest}
    error: Mapping[str, Any] | None  # {code, message, traceback?}
    log: str
    seconds: float | None  # in the application
    digests: Mapping[str, Any]
    hardware: Mapping[str, Any]
    progress: Mapping[str, Any] | None


@dataclass(frozen=True)
class Happening:
    """Something to tell those who watch an execution."""

    execution: UUID
    kind: str  # progress | log | output
    body: Mapping[str, Any]
    at: datetime


_SEAT = """
    SELECT pg_try_advisory_xact_lock(%(key)s), process.application_id, process.concurrency, process.state,
        process.ready_at,
        process.condemned = '' AND process.kind = %(serve)s
            AND (process.release_id, process.model_id)
                IS NOT DISTINCT FROM (application.release_id, application.model_id),
        EXISTS (SELECT FROM store_execution AS late WHERE late.application_id = process.application_id
            AND late.status = 'queued' AND late.deadline_at <= %(now)s)
    FROM store_process AS process JOIN store_application AS application ON application.id = process.application_id
    WHERE process.id = %(process)s"""
_RUNNING = "SELECT count(*) FROM store_execution WHERE status = 'running' AND process = %(process)s"
_CLAIM = f"""
    WITH next AS (
        SELECT execution.id FROM store_execution AS execution
        JOIN (SELECT id, place FROM ({turns.ORDER}) AS places WHERE place <= {_CANDIDATES}) AS turns USING (id)
        WHERE execution.status = 'queued' AND %(concurrency)s > (
            SELECT count(*) FROM store_execution WHERE status = 'running' AND process = %(process)s)
        ORDER BY turns.place LIMIT 1 FOR UPDATE OF execution SKIP LOCKED
    ), claimed AS (
        UPDATE store_execution AS execution
        SET status = 'running', process = process.id, release_id = process.release_id, model_id = process.model_id,
            started_at = %(now)s, progress = NULL, attempts = execution.attempts + 1, lease = execution.lease + 1,
            lease_until = %(until)s
        FROM next, store_process AS process
        WHERE execution.id = next.id AND execution.status = 'queued' AND process.id = %(process)s
        RETURNING execution.*
    ), told AS (
        INSERT INTO store_executionevent (execution_id, kind, body, at)
        SELECT id, 'status', json_build_object('status', 'running', 'attempt', attempts), %(now)s FROM claimed
    )
    SELECT {statements.columns(Execution, "claimed")}, pg_notify('{CHANNEL}', json_build_object(
        'about', 'execution', 'id', id, 'application', application_id, 'status', 'running')::text), (
        SELECT count(*) > 1 FROM store_execution WHERE application_id = %(application)s AND status = 'queued')
    FROM claimed"""  # noqa: S608 - constants


@transaction.atomic
def claim(
    process_id: UUID, *, now: datetime, waited: timedelta = timedelta(0), answered: bool = False
) -> Execution | Nothing:
    """The next execution in fair order (`domain.outcomes.fair`), now running in this process under a new lease.

    With `waited`, only what has been queued, for a process that has been ready, at least so long. `answered`: the
    process has told the caller that it executes, whether or not its row says so yet. Executions whose deadline has
    passed become expired on the way.
    """
    seat = _seat(process_id, now=now, ready_before=now - waited, answered=answered)
    if isinstance(seat, Nothing):
        return seat
    application_id, concurrency = seat
    found = {
        "application": application_id, "process": process_id, "concurrency": concurrency, "now": now,
        "before": now - waited, "until": now + LEASE,
    }  # fmt: skip
    for execution, (_, others_wait) in statements.read(Execution, _CLAIM, found):
        execution.others_wait = others_wait
        return execution
    is_full = statements.run(_RUNNING, {"process": process_id})[0][0] >= concurrency
    return Nothing.FULL if is_full else Nothing.EMPTY


def _seat(process_id: UUID, *, now: datetime, ready_before: datetime, answered: bool) -> tuple[int, int] | Nothing:
    """The application of this process, and how many it may run at once; only the current edition gets work.

    Until the transaction ends, nobody else claims for this process: the statements that follow see all that was
    claimed for it. Its row is not locked: whoever notes that it is
    ready, or drains it, does not wait for claims, nor they for him. What is claimed for a process that is drained at
    the same moment is executed still, or refused by it and given back.
    """
    key = int.from_bytes(process_id.bytes[8:], signed=True)
    rows = statements.run(_SEAT, {"process": process_id, "key": key, "serve": Process.SERVE, "now": now})
    if not rows:
        return Nothing.GONE
    is_mine, application_id, concurrency, state, ready_at, is_open, is_late = rows[0]
    if not is_mine:
        return Nothing.BUSY
    if state == processes.STARTING and answered:
        state, ready_at = processes.READY, ready_before
    if state != processes.READY or not is_open:
        return Nothing.GONE
    if ready_at is None or ready_at > ready_before:
        return Nothing.EMPTY
    if is_late:
        expire(application_id, now=now)
    return application_id, concurrency


def _tell_running(execution: Execution, now: datetime) -> None:
    body = {"status": execution.status, "attempt": execution.attempts}
    ExecutionEvent.objects.create(execution_id=execution.pk, kind="status", body=body, at=now)
    notify("execution", id=execution.pk, application=execution.application_id, status=execution.status)


@transaction.atomic
def expire(application_id: int, *, now: datetime) -> int:
    """Afterwards nothing waits there whose deadline has passed; how many did."""
    late = Execution.objects.filter(application_id=application_id, status=executions.QUEUED, deadline_at__lte=now)
    error = {"code": "expired", "message": "Its deadline passed before it started."}
    ids = list(late.values_list("pk", flat=True))
    return sum(transitions.execution(id_, executions.EXPIRE, now=now, error=error) for id_ in ids)


@transaction.atomic
def insert_running(execution: Execution, *, now: datetime) -> None:
    """Afterwards an execution that began without a row has one, running, under the lease it carries.

    May be repeated when it is not known whether it happened.
    """
    execution.status = executions.RUNNING
    execution.lease_until = now + LEASE
    if Execution.objects.filter(pk=execution.pk).exists():
        return
    execution.save(force_insert=True)
    _tell_running(execution, now)


@transaction.atomic
def renew(leases: Mapping[UUID, int], *, now: datetime) -> dict[UUID, str]:
    """Afterwards these run for another LEASE; returned is, with its state now, what is no longer ours."""
    sql = """
        UPDATE store_execution AS execution SET lease_until = %s
        FROM unnest(%s::uuid[], %s::bigint[]) AS held(id, lease)
        WHERE execution.id = held.id AND execution.lease = held.lease AND execution.status = 'running'
        RETURNING execution.id"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [now + LEASE, list(leases), list(leases.values())])
        kept = {row[0] for row in cursor.fetchall()}
    gone = leases.keys() - kept
    states = dict(Execution.objects.filter(pk__in=gone).values_list("pk", "status"))
    return {id_: states.get(id_, "") for id_ in gone}


def finish(execution_id: UUID, lease: int, result: Result, *, now: datetime, last: Sequence[Happening] = ()) -> bool:
    """Afterwards it has its final state, if the lease is still the current one; False drops the result."""
    if not last:
        return _finish(execution_id, lease, result, now)
    with transaction.atomic():
        tell(last)
        is_ours = _finish(execution_id, lease, result, now)
        if not is_ours:
            transaction.set_rollback(True)
    return is_ours


def _finish(execution_id: UUID, lease: int, result: Result, now: datetime) -> bool:
    return transitions.execution(
        execution_id,
        result.event,
        now=now,
        lease=lease,
        source=executions.RUNNING,
        outputs=result.outputs,
        error=result.error,
        log=result.log,
        seconds=result.seconds,
        digests=result.digests,
        hardware=result.hardware,
        progress=result.progress,
    )


@transaction.atomic
def give_back(execution_id: UUID, lease: int, reason: str, *, counts: bool, now: datetime) -> str | None:
    """Its process was lost: queued again while attempts remain, else failed. The state after; None: not ours.

    An attempt that does not count (nobody's fault but the platform's) is not one.
    """
    found = Execution.objects.select_for_update(of=("self",)).select_related("release")
    execution = found.filter(pk=execution_id, lease=lease, status=executions.RUNNING).first()
    if execution is None:
        return None
    limits = execution.release.manifest.get("execute", {}) if execution.release else {}
    event = executions.REQUEUE
    values: dict[str, Any] = {"lease_until": None}
    if not counts:
        values["attempts"] = max(execution.attempts - 1, 0)
    else:
        event = outcomes.after_loss(execution.attempts, int(limits.get("max_attempts", DEFAULT_ATTEMPTS)))
    if event == executions.FAIL:
        times = "once" if execution.attempts == 1 else f"{execution.attempts} times"
        why = _why_lost(execution) or reason
        message = f"Its process was lost {times}, so it is not tried again. The last time: {why}"
        values["error"] = {"code": "lost", "message": message}
    transitions.execution(execution_id, event, now=now, lease=lease, source=executions.RUNNING, **values)
    return executions.EXECUTION.follow(executions.RUNNING, event)


def _why_lost(execution: Execution) -> str:
    """What the runner said of the processes that ended under it; of the last one it may not have said it yet."""
    ended = Process.objects.filter(application_id=execution.application_id, kind=Process.SERVE)
    since = ended.filter(ended_at__gte=execution.created_at)
    return since.order_by("-ended_at").values_list("end_reason", flat=True).first() or ""


@transaction.atomic
def condemn(process_id: UUID, reason: str) -> None:
    """Have AppCore kill this process now; what else runs there is given back uncounted."""
    rows = Process.objects.filter(pk=process_id, condemned="", state__in=processes.LIVING)
    for application_id in list(rows.values_list("application_id", flat=True)):
        rows.update(condemned=reason)
        notify("processes", application=application_id)


def why_ended(process_id: UUID) -> str:
    """What the runner said of its end; empty while it lives, as far as is known."""
    ended = Process.objects.filter(pk=process_id, state=processes.ENDED)
    return ended.values_list("end_reason", flat=True).first() or ""


def why_condemned(process_id: UUID) -> str:
    """Why it is to be killed; empty when it is not."""
    return Process.objects.filter(pk=process_id).values_list("condemned", flat=True).first() or ""


@transaction.atomic
def tell(happenings: Iterable[Happening]) -> None:
    """Afterwards those who watch can read what happened, and the last progress is in the row."""
    rows = [ExecutionEvent(execution_id=h.execution, kind=h.kind, body=h.body, at=h.at) for h in happenings]
    if not rows:
        return
    about = Execution.objects.filter(pk__in={row.execution_id for row in rows}).order_by("pk")
    list(about.select_for_update(no_key=True).values_list("pk"))  # so that ids become visible in their order
    ExecutionEvent.objects.bulk_create(rows)
    latest = {row.execution_id: row.body for row in rows if row.kind == "progress"}
    for id_, body in latest.items():
        Execution.objects.filter(pk=id_, status=executions.RUNNING).update(progress=body)
    told = Execution.objects.filter(pk__in={row.execution_id for row in rows})
    for id_, application_id, status in told.values_list("pk", "application_id", "status"):
        notify("execution", id=id_, application=application_id, status=status)
