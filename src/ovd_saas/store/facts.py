"""Facts: what the domain needs to know of applications, read in a few queries for many at once. Floor 1."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Min, Q
from django.utils import timezone

from ovd_saas.domain import executions, hours, learning, learning_runs, processes, service
from ovd_saas.domain.admission import WAITS
from ovd_saas.domain.facts import Desired, Next, Observed, ProcessFacts
from ovd_saas.domain.habits import Expected
from ovd_saas.store.memory import RECENT, last_used
from ovd_saas.store.records import Application, Execution, LearningRun, Lookout, Process

MANY = 100  # executions looked at to tell which processes are in use
LATELY_SECONDS = 2.0  # in which somebody's wait for a place counts
USUAL_MEMORY_MB = 512  # of a process, when its manifest does not say


@dataclass(frozen=True)
class Facts:
    """One application as the decision sees it."""

    application: Application
    desired: Desired
    observed: Observed


def restless() -> list[int]:
    """Ids of the applications that are not simply asleep: something runs, waits, or is wanted. Each part has an index
    of just those, so that the sleeping ones cost nothing."""
    rows = Application.objects.order_by().values_list("pk", flat=True)
    found = rows.filter(~Q(service="asleep")).union(
        rows.filter(~Q(learning="resting")),
        rows.filter(wake_asked_at__isnull=False),
        rows.filter(wakes_at__lte=timezone.now()),
        Execution.objects.filter(status=executions.QUEUED).order_by().values_list("application_id").distinct(),
        Process.objects.filter(kind=Process.SERVE).exclude(state=processes.ENDED).values_list("application_id"),
    )
    return list(found)


def of(ids: Iterable[int], *, runner_up: bool, machine_mb: int | None = None, drained: str = "") -> list[Facts]:
    """The facts of these applications; a few queries, however many they are. `machine_mb` and `drained` are those of
    the machine, for all of them."""
    ids = list(ids)
    found = list(
        Application.objects.filter(pk__in=ids).select_related(
            "release", "upcoming", "model", "upcoming_model", "organisation", "lookout"
        )
    )
    waiting, since = _queues(ids)
    running = _running(ids)
    used = last_used(ids)
    living = _processes(ids)
    waited = _waited(found)
    due = _learning_waits([row.pk for row in found if row.learning == learning.DUE])
    return [
        Facts(
            application=application,
            desired=desired(application),
            observed=Observed(
                service=application.service,
                learning=application.learning,
                health=application.health,
                queued=waiting[application.pk],
                running=running[application.pk],
                last_used_at=used.get(application.pk),
                processes=tuple(living[application.pk]),
                start_failures=application.start_failures,
                retry_at=application.retry_at,
                runner_up=runner_up,
                application=application.pk,
                waiting_since=min(
                    (at for at in (since.get(application.pk), application.wake_asked_at) if at), default=None
                ),
                waited_seconds=waited.get(application.pk, 0.0),
                wakes_at=application.wakes_at,
                foreseen=_foreseen(application),
                machine_mb=machine_mb,
                drained=drained,
                learning_waits=due.get(application.pk, ""),
                learns_next=_learns_next(application),
            ),
        )
        for application in found
    ]


def _learns_next(application: Application) -> Next | None:
    """What its triggers were last seen to wait for."""
    lookout: Lookout | None = getattr(application, "lookout", None)
    return Next(lookout.next_what, lookout.next_at) if lookout is not None and lookout.next_what else None


def desired(application: Application) -> Desired:
    """What people chose for it; sleeping policy comes from its current release's manifest."""
    manifest = application.release.manifest if application.release else {}
    sleep, execute = manifest.get("sleep", {}), manifest.get("execute", {})
    after, time_zone = float(sleep.get("after", 300)), str(sleep.get("time_zone") or "UTC")
    upcoming = application.upcoming if application.upcoming_model_id is None else application.release
    return Desired(
        status=application.status,
        edition=edition(application.release_id, application.model_id) if application.release_id else None,
        upcoming=_upcoming(application),
        sleep_after=after,
        on_wake=(manifest.get("learn") or {}).get("on_wake", "together"),
        wake_asked=application.wake_asked_at is not None,
        sleep_asked=application.sleep_asked_at is not None,
        memory_mb=memory_mb(manifest),
        upcoming_memory_mb=memory_mb(upcoming.manifest) if upcoming else USUAL_MEMORY_MB,
        concurrency=int(execute.get("concurrency", 1)),
        max_replicas=_max_replicas(application),
        hours=hours.of(str(sleep.get("keep_awake") or ""), time_zone, after),
        time_zone=time_zone,
        predict=bool(sleep.get("predict", False)),
    )


def _max_replicas(application: Application) -> int:
    manifest = application.release.manifest if application.release else {}
    return int(manifest.get("execute", {}).get("max_replicas", 1))


def memory_mb(manifest: dict[str, Any]) -> int:
    """What a serving process of such a manifest holds."""
    return int(manifest.get("resources", {}).get("memory_mb", USUAL_MEMORY_MB))


def _foreseen(application: Application) -> Expected | None:
    """The use that was expected when its habits were looked up last."""
    manifest = application.release.manifest if application.release else {}
    return expected(application.foreseen) if manifest.get("sleep", {}).get("predict") else None


def expected(noted: dict[str, Any] | None) -> Expected | None:
    """What a column `foreseen` says."""
    if not noted or "at" not in noted:
        return None
    return Expected(datetime.fromisoformat(noted["at"]), datetime.fromisoformat(noted["until"]), noted["why"])


def edition(release_id: int, model_id: int | None) -> str:
    """What a process serves: a release with a model version, or without one."""
    return f"{release_id}:{model_id or ''}"


def parts(edition: str) -> tuple[int, int | None]:
    """The ids of its release and of its model version."""
    release_id, _, model_id = edition.partition(":")
    return int(release_id), int(model_id) if model_id else None


def _upcoming(application: Application) -> str | None:
    """The edition that is to take over. A model comes before a release, one after the other, so that it is plain which
    of them does not start."""
    if application.release_id is None:
        return None
    if application.upcoming_model_id is not None:
        return edition(application.release_id, application.upcoming_model_id)
    if application.upcoming_id is not None:
        return edition(application.upcoming_id, application.model_id)
    return None


def _queues(ids: list[int]) -> tuple[Counter[int], dict[int, datetime]]:
    """How many wait for each of them, and since when the first one does."""
    rows = Execution.objects.filter(application_id__in=ids, status=executions.QUEUED).order_by()
    found = list(rows.values_list("application_id").annotate(Count("id"), Min("created_at")))
    return Counter({id_: count for id_, count, _ in found}), {id_: since for id_, _, since in found}


def _running(ids: list[int]) -> Counter[int]:
    rows = Execution.objects.filter(application_id__in=ids, status=executions.RUNNING).order_by()
    return Counter(dict(rows.values_list("application_id").annotate(Count("id"))))


def _waited(found: list[Application]) -> dict[int, float]:
    """How long somebody waited lately, at most, for a place in the processes that were ready then; seconds. Only of
    applications that may have more of them: quick executions are no rows while they wait."""
    ids = [row.pk for row in found if row.service == service.AWAKE and _max_replicas(row) > 1]
    if not ids:
        return {}
    sql = """
        SELECT application.id, max(extract(epoch FROM recent.started_at - recent.created_at))::float8
        FROM unnest(%s::bigint[]) AS application(id), LATERAL (
            SELECT created_at, started_at FROM store_execution
            WHERE application_id = application.id ORDER BY created_at DESC LIMIT %s
        ) AS recent
        WHERE recent.started_at IS NOT NULL AND recent.created_at > greatest(%s, (
            SELECT max(ready_at) FROM store_process WHERE application_id = application.id AND state <> 'ended'))
        GROUP BY application.id"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [ids, RECENT, timezone.now() - timedelta(seconds=LATELY_SECONDS)])
        return dict(cursor.fetchall())


def _learning_waits(ids: list[int]) -> dict[int, str]:
    """Why runs that are due have not begun, where that is for want of memory."""
    if not ids:
        return {}
    waiting = LearningRun.objects.filter(
        application_id__in=ids, status__in=(learning_runs.QUEUED, learning_runs.PAUSED), reason__startswith=WAITS
    )
    return dict(waiting.values_list("application_id", "reason"))


def _processes(ids: list[int]) -> defaultdict[int, list[ProcessFacts]]:
    rows = list(Process.objects.filter(application_id__in=ids, kind=Process.SERVE).exclude(state=processes.ENDED))
    in_flight = Counter(
        Execution.objects.filter(application_id__in=ids, status=executions.RUNNING)
        .order_by()
        .values_list("process", flat=True)
    )
    several = [id_ for id_, count in Counter(row.application_id for row in rows).items() if count > 1]
    used_at = _used_by_process(several)
    found: defaultdict[int, list[ProcessFacts]] = defaultdict(list)
    for row in rows:
        found[row.application_id].append(
            ProcessFacts(
                id=str(row.pk),
                state=row.state,
                edition=edition(row.release_id, row.model_id),
                in_flight=in_flight[row.pk],
                started_at=row.started_at,
                ready_at=row.ready_at,
                how=row.how,
                ready_seconds=row.ready_seconds,
                used_at=used_at.get(row.pk),
                condemned=bool(row.condemned),
                lost=False,
            )
        )
    return found


def _used_by_process(ids: list[int]) -> dict[UUID, datetime]:
    """When each process of these applications was last seen to execute, among the latest executions."""
    if not ids:
        return {}
    sql = """
        SELECT recent.process, max(greatest(recent.started_at, recent.finished_at))
        FROM unnest(%s::bigint[]) AS application(id), LATERAL (
            SELECT process, started_at, finished_at FROM store_execution
            WHERE application_id = application.id ORDER BY created_at DESC LIMIT %s
        ) AS recent WHERE recent.process IS NOT NULL GROUP BY recent.process"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [ids, MANY])
        return dict(cursor.fetchall())
