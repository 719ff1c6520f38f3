"""Facts: what the domain needs to know of applications, read in a few queries for many at once. Floor 1."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Q

from ovd_saas.domain import executions, processes
from ovd_saas.domain.facts import Desired, Next, Observed, ProcessFacts
from ovd_saas.store.records import Application, Execution, Lookout, Process

RECENT = 20  # executions looked at to tell when an application was last used


@dataclass(frozen=True)
class Facts:
    """One application as the decision sees it."""

    application: Application
    desired: Desired
    observed: Observed


def restless() -> list[int]:
    """Ids of the applications that are not simply asleep: something runs, waits, or is wanted."""
    queued = Execution.objects.filter(status=executions.QUEUED).order_by().values("application_id")
    living = Process.objects.filter(kind=Process.SERVE).exclude(state=processes.ENDED).values("application_id")
    wanted = Q(wake_asked_at__isnull=False) | Q(pk__in=queued.distinct()) | Q(pk__in=living.distinct())
    wanted |= ~Q(learning="resting")
    return list(Application.objects.filter(~Q(service="asleep") | wanted).values_list("pk", flat=True))


def of(ids: Iterable[int], *, runner_up: bool) -> list[Facts]:
    """The facts of these applications; four queries, however many they are."""
    ids = list(ids)
    found = Application.objects.filter(pk__in=ids).select_related(
        "release", "upcoming", "model", "upcoming_model", "organisation", "lookout"
    )
    waiting = _counts(ids, executions.QUEUED)
    running = _counts(ids, executions.RUNNING)
    used = _last_used(ids)
    living = _processes(ids)
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
    return Desired(
        status=application.status,
        edition=edition(application.release_id, application.model_id) if application.release_id else None,
        upcoming=_upcoming(application),
        sleep_after=float(manifest.get("sleep", {}).get("after", 300)),
        on_wake=(manifest.get("learn") or {}).get("on_wake", "together"),
        wake_asked=application.wake_asked_at is not None,
        sleep_asked=application.sleep_asked_at is not None,
    )


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


def _counts(ids: list[int], status: str) -> Counter[int]:
    rows = Execution.objects.filter(application_id__in=ids, status=status).order_by()
    return Counter(dict(rows.values_list("application_id").annotate(Count("id"))))


def _last_used(ids: list[int]) -> dict[int, datetime]:
    sql = """
        SELECT application.id, max(greatest(recent.created_at, recent.finished_at))
        FROM unnest(%s::bigint[]) AS application(id), LATERAL (
            SELECT created_at, finished_at FROM store_execution
            WHERE application_id = application.id ORDER BY created_at DESC LIMIT %s
        ) AS recent GROUP BY application.id"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [ids, RECENT])
        return dict(cursor.fetchall())


def _processes(ids: list[int]) -> defaultdict[int, list[ProcessFacts]]:
    rows = Process.objects.filter(application_id__in=ids, kind=Process.SERVE).exclude(state=processes.ENDED)
    in_flight = Counter(
        Execution.objects.filter(application_id__in=ids, status=executions.RUNNING)
        .order_by()
        .values_list("process", flat=True)
    )
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
                condemned=bool(row.condemned),
                lost=False,
            )
        )
    return found
