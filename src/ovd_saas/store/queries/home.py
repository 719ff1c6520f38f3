"""Home: what needs a person, what happened last, and how far a person has come with the first steps. Floor 1.

All of it is asked of indexes and of bounded parts, so that it costs the same with a million rows.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from ovd_saas.domain import learning_runs, releases, status
from ovd_saas.store.queries import applications as visible
from ovd_saas.store.queries import panel
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import (
    Application,
    Batch,
    Execution,
    LearningRun,
    Measure,
    Process,
    Release,
    Runner,
    SourceFile,
    Transition,
    User,
)

MOST = 20  # of each kind of thing that needs a person
NEWS = timedelta(days=30)  # a failed learning run is told for so long
OWN = 5_000  # newest executions among which a person's own are looked for

_LATEST = {  # of the applications of some organisations: a few of each by its index, the newest of those
    "transition": """
        SELECT latest.id FROM store_application AS application CROSS JOIN LATERAL (
            SELECT id FROM store_transition WHERE application_id = application.id ORDER BY id DESC LIMIT %(most)s
        ) AS latest WHERE application.organisation_id = ANY(%(organisations)s)
        ORDER BY latest.id DESC LIMIT %(most)s""",
    "execution": """
        SELECT latest.id FROM store_application AS application CROSS JOIN LATERAL (
            SELECT id, created_at FROM store_execution WHERE application_id = application.id
            ORDER BY created_at DESC LIMIT %(most)s
        ) AS latest WHERE application.organisation_id = ANY(%(organisations)s)
        ORDER BY latest.id DESC LIMIT %(most)s""",
}


@dataclass(frozen=True)
class Broken:
    """A source of which something could not be pulled."""

    application: Application
    source: str  # address
    error: str  # of the newest row that has one
    is_whole: bool  # nothing of it could be looked at
    files: int  # that could not be read
    seen_at: datetime


@dataclass(frozen=True)
class Steps:
    """Which of the first steps a person has done."""

    has_executed: bool
    has_fed: bool
    has_pushed: bool


def awaiting(viewer: Viewer) -> list[LearningRun]:
    """Runs whose candidate a person has to approve or reject, the longest wait first."""
    rows = LearningRun.objects.filter(status=learning_runs.AWAITING)
    rows = rows.select_related("application__organisation", "application__model", "candidate__parent")
    return list(_seen(viewer, rows).defer("log").order_by("finished_at", "id")[:MOST])


def faulty(viewer: Viewer) -> list[tuple[Application, int | None]]:
    """Applications that do not start, the newest fault first, each with the number of the ready release before its
    current one, if there is one."""
    earlier = Release.objects.filter(
        application=OuterRef("pk"), state=releases.READY, withdrawn_at=None, number__lt=OuterRef("release__number")
    ).order_by("-number")
    rows = panel.found(viewer, show="faulty").select_related("organisation", "release").order_by("-since")
    rows = rows.defer("release__log", "release__schema", "release__description")
    return [(row, row.before) for row in rows.annotate(before=Subquery(earlier.values("number")[:1]))[:MOST]]


def failed_builds(viewer: Viewer) -> list[Release]:
    """Releases that are the newest of their application and could not be built."""
    later = Release.objects.filter(application=OuterRef("application"), number__gt=OuterRef("number"))
    rows = Release.objects.filter(~Exists(later), state=releases.FAILED, withdrawn_at=None)
    rows = rows.exclude(application__status=status.RETIRED).select_related("application__organisation", "created_by")
    return list(_seen(viewer, rows).defer("log", "schema", "manifest", "description").order_by("-id")[:MOST])


def failed_learning(viewer: Viewer, now: datetime) -> list[LearningRun]:
    """Applications whose newest learning run failed lately."""
    later = LearningRun.objects.filter(application=OuterRef("application"), number__gt=OuterRef("number"))
    first = _first_id(now - NEWS)
    rows = LearningRun.objects.filter(~Exists(later), id__gte=first, status=learning_runs.FAILED)
    rows = rows.filter(application__status=status.ENABLED).select_related("application__organisation")
    return list(_seen(viewer, rows).defer("log").order_by("-id")[:MOST])


def broken_sources(viewer: Viewer) -> list[Broken]:
    """Sources of enabled applications of which a file, or all, could not be pulled."""
    rows = SourceFile.objects.filter(batch=None, application__status=status.ENABLED).exclude(error="")
    groups = (
        _seen(viewer, rows)
        .values("application", "source")
        .annotate(whole=Count("id", filter=Q(path="")), files=Count("id", filter=~Q(path="")), at=Max("seen_at"))
        .annotate(newest=Max("id"))
        .order_by("-at")[:MOST]
    )
    found = list(groups)
    named = {row.pk: row for row in visible.listed(list({row["application"] for row in found}))}
    errors = SourceFile.objects.in_bulk([row["newest"] for row in found])
    return [
        Broken(
            named[row["application"]], row["source"], errors[row["newest"]].error, bool(row["whole"]), row["files"],
            row["at"],
        )
        for row in found
        if row["application"] in named and row["newest"] in errors
    ]  # fmt: skip


def unwell_machines() -> list[Runner]:
    """Those that are down, or that a person drained."""
    return list(Runner.objects.filter(Q(is_up=False) | Q(drained_at__isnull=False)).order_by("name"))


def transitions(viewer: Viewer, most: int) -> list[Transition]:
    """The last changes of state of all that the viewer may see, newest first."""
    rows = Transition.objects.select_related("application__organisation")
    if viewer.is_staff:
        return list(rows.order_by("-at", "-id")[:most])
    return list(rows.filter(pk__in=_latest("transition", viewer, most)).order_by("-at", "-id"))


def executions(viewer: Viewer, most: int) -> list[Execution]:
    """Likewise, the last executions."""
    rows = Execution.objects.select_related("application__organisation", "created_by").only(
        "id", "status", "created_at", "finished_at", "seconds", "cause", "created_by__username",
        "application__name", "application__title", "application__organisation__slug",
    ).order_by("-id")  # fmt: skip
    if viewer.is_staff:
        return list(rows[:most])
    return list(rows.filter(pk__in=_latest("execution", viewer, most)))


def example(viewer: Viewer) -> Application | None:
    """The application to look at first: one that has learned and is well, else any that can be run."""
    rows = visible.of(viewer).filter(status=status.ENABLED, release__isnull=False)
    ids = rows.order_by("-health", "organisation__slug", "name").values_list("pk", flat=True)
    learns = rows.filter(lookout__learns=True).order_by("-health", "name").values_list("pk", flat=True)
    id_ = learns.filter(name="water-flow").first() or learns.first() or ids.first()
    return next(iter(visible.listed([id_])), None) if id_ else None


def steps(user: User, examples: frozenset[str]) -> Steps:
    """What this person has done; releases of the applications named in `examples` come with the platform."""
    newest = Execution.objects.order_by("-id").values("pk")[:OWN]
    pushed = Release.objects.filter(created_by=user).exclude(application__name__in=examples)
    return Steps(
        has_executed=Execution.objects.filter(pk__in=newest, created_by=user).exists(),
        has_fed=Batch.objects.filter(created_by=user).exists(),
        has_pushed=pushed.exists(),
    )


def last_measures(now: datetime) -> dict[int, Measure]:
    """The newest measure of each machine that was measured lately, by the key of its runner."""
    rows = Measure.objects.filter(at__gte=now - timedelta(minutes=10)).order_by("runner", "-at").distinct("runner")
    return {row.runner_id: row for row in rows}


def processes_at_work() -> dict[int, int]:
    """Living processes of applications, by the key of their runner."""
    rows = Process.objects.exclude(state="ended").order_by().values_list("runner").annotate(Count("pk"))
    return dict(rows)


def _seen(viewer: Viewer, rows: QuerySet) -> QuerySet:  # type: ignore[type-arg]
    return rows if viewer.is_staff else rows.filter(application__organisation__slug__in=list(viewer.roles))


def _latest(noun: str, viewer: Viewer, most: int) -> list:  # type: ignore[type-arg]
    organisations = list(visible.of(viewer).order_by().values_list("organisation", flat=True).distinct())
    with connection.cursor() as cursor:
        cursor.execute(_LATEST[noun], {"organisations": organisations, "most": most})
        return [id_ for (id_,) in cursor.fetchall()]


def _first_id(since: datetime) -> str:
    """The least UUIDv7 of that moment."""
    first = f"{int(since.timestamp() * 1000):012x}"
    return f"{first[:8]}-{first[8:]}-0000-0000-000000000000"
