"""Memory of a machine: how much of it processes hold, who waits for it, and who could give it. Floor 1."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ovd.hours import is_cron
from ovd_saas.domain import executions, hours
from ovd_saas.domain.admission import Holder, Memory, Waiting
from ovd_saas.store import statements
from ovd_saas.store.records import Application, Execution, Runner

USUAL_SHARE = 0.8  # of a machine's memory is for applications, unless its runner says how much

_STANDING = """
    SELECT coalesce(sum(memory_mb), 0),
           coalesce(sum(memory_mb) FILTER (WHERE kind <> 'serve'), 0),
           coalesce(sum(memory_mb) FILTER (WHERE state = 'draining' AND NOT EXISTS (
               SELECT FROM store_execution WHERE status = 'running' AND process = store_process.id)), 0),
           (SELECT count(*) FROM store_application WHERE waits_since IS NOT NULL)
    FROM store_process WHERE state <> 'ended' AND runner_id = %s"""

_HELD = "SELECT coalesce(sum(memory_mb), 0) FROM store_process WHERE state <> 'ended' AND runner_id = %(runner)s"
_AWAKE = """
    SELECT application.id, sum(process.memory_mb), max(process.ready_at),
           coalesce(release.manifest -> 'sleep' ->> 'keep_awake', ''),
           coalesce(release.manifest -> 'sleep' ->> 'time_zone', 'UTC'),
           application.wake_asked_at IS NULL AND NOT EXISTS (
               SELECT FROM store_execution WHERE application_id = application.id AND status = 'queued')
    FROM store_application AS application
    JOIN store_process AS process ON process.application_id = application.id
         AND process.state <> 'ended' AND process.runner_id = %s AND process.kind = 'serve'
    LEFT JOIN store_release AS release ON release.id = application.release_id
    WHERE application.service = 'awake'
    GROUP BY application.id, release.id"""

_LAST_USED = """
    SELECT application.id, max(greatest(recent.created_at, recent.finished_at))
    FROM unnest(%s::bigint[]) AS application(id), LATERAL (
        SELECT created_at, finished_at FROM store_execution
        WHERE application_id = application.id ORDER BY created_at DESC LIMIT %s
    ) AS recent GROUP BY application.id"""
RECENT = 20  # executions looked at to tell when an application was last used


@dataclass(frozen=True)
class _Awake:
    application: int  # id
    holds_mb: int
    ready_at: datetime | None
    keep_awake: str
    time_zone: str
    is_idle: bool  # nobody waits; somebody may be served

    def is_kept(self, now: datetime) -> bool:
        kept = hours.of(self.keep_awake, self.time_zone, 0)
        return kept is not None and not is_cron(self.keep_awake) and kept.at(now) is not None


def total_mb(runner: Runner) -> int | None:
    """What the machine has for all processes of applications together; None when it does not say."""
    told = runner.facts.get("applications_mb")
    if told:
        return int(told)
    whole = runner.facts.get("memory_mb")
    return int(whole * USUAL_SHARE) if whole else None


def standing(runner: Runner, *, now: datetime, in_full: bool = False) -> Memory | None:
    """How it stands now; None when the machine does not say what it has. What is kept awake counts as fixed only where
    it matters: somebody waits already, or it is asked for `in_full`."""
    total = total_mb(runner)
    if total is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [runner.pk])
        held, fixed, leaving, waiting = cursor.fetchone() or (0, 0, 0, 0)
    if waiting or in_full:
        fixed += sum(one.holds_mb for one in _awake(runner) if one.is_kept(now))
    rows = Application.objects.filter(waits_since__isnull=False).order_by("waits_since") if waiting else []
    return Memory(
        total, held_mb=held, fixed_mb=fixed, leaving_mb=leaving,
        waiting=tuple(Waiting(row.pk, row.waits_mb, row.waits_since) for row in rows if row.waits_since),
    )  # fmt: skip


def locked(runner: Runner) -> int:
    """What is held; nobody else asks or takes until the transaction ends. An application is locked before it."""
    statements.run("SELECT FROM store_runner WHERE id = %(runner)s FOR NO KEY UPDATE", {"runner": runner.pk})
    return int(statements.run(_HELD, {"runner": runner.pk})[0][0])  # a statement of its own: it sees what was committed


def held_mb(runner: Runner) -> int:
    """What its processes were promised, without asking anybody to wait."""
    return int(statements.run(_HELD, {"runner": runner.pk})[0][0])


def holders(runner: Runner, *, now: datetime) -> list[Holder]:
    """Who is awake, does nothing and may sleep, as far as rows tell."""
    running = Execution.objects.filter(status=executions.RUNNING).order_by().values_list("application_id", flat=True)
    busy = set(running.distinct())
    found = [one for one in _awake(runner) if one.is_idle and one.application not in busy and not one.is_kept(now)]
    used = last_used([one.application for one in found])
    holders = []
    for one in found:
        if one.ready_at is not None:
            used_at = used.get(one.application)
            is_unused = used_at is None or used_at <= one.ready_at
            idle_since = one.ready_at if used_at is None else max(one.ready_at, used_at)
            holders.append(Holder(one.application, one.holds_mb, idle_since, is_unused))
    return holders


def last_used(ids: list[int]) -> dict[int, datetime]:
    """When each of these applications was used last: the end of its last execution, or its start while it runs."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_USED, [ids, RECENT])
        return dict(cursor.fetchall())


def _awake(runner: Runner) -> list[_Awake]:
    with connection.cursor() as cursor:
        cursor.execute(_AWAKE, [runner.pk])
        return [_Awake(*row) for row in cursor.fetchall()]
