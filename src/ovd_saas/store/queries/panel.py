"""What the Control Panel counts and filters over all applications. Floor 1."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from ovd_saas.domain import health, learning, service, status
from ovd_saas.domain import processes as processing
from ovd_saas.store.queries import applications
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import (
    Application,
    DriftMeasure,
    LearningEvent,
    LearningRun,
    Lookout,
    Process,
    TriggerEvaluation,
)

_FAULTY = Q(health=health.FAULTY, status=status.ENABLED)
_LEARNS = Q(learning__in=learning.OCCUPIED)
_ASLEEP = Q(service=service.ASLEEP)
SHOWN = {  # every application is in exactly one of them
    "idle": _ASLEEP & ~_LEARNS & ~_FAULTY,
    "learning": _ASLEEP & _LEARNS & ~_FAULTY,
    "executing": ~_ASLEEP & ~_FAULTY,
    "faulty": _FAULTY,
}


@dataclass(frozen=True)
class Fleet:
    """How many applications are what; each counts once."""

    idle: int
    learning: int
    executing: int
    faulty: int

    @property
    def all(self) -> int:
        return self.idle + self.learning + self.executing + self.faulty


def fleet(viewer: Viewer) -> Fleet:
    counts = {name: Count("id", filter=rule) for name, rule in SHOWN.items()}
    return Fleet(**applications.of(viewer).order_by().aggregate(**counts))


def found(viewer: Viewer, *, text: str = "", show: str = "") -> QuerySet[Application]:
    """Applications whose address, title or summary contains every word of `text`, of one group of SHOWN or of all."""
    rows = applications.of(viewer)
    for word in text.replace("/", " ").split():
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(summary__icontains=word)
            | Q(organisation__slug__icontains=word)
        )
    return rows.filter(SHOWN[show]) if show in SHOWN else rows


def processes(application: Application, *, ended: int = 10) -> list[Process]:
    """The living ones, newest first, then the last few that ended."""
    rows = Process.objects.filter(application=application).select_related("runner", "release", "model")
    living = rows.exclude(state=processing.ENDED).order_by("-started_at")
    return [*living, *rows.filter(state=processing.ENDED).order_by("-started_at")[:ended]]


def last_waking_seconds(application: Application) -> float | None:
    """How long its newest process took to get ready; None when none ever did."""
    rows = Process.objects.filter(application=application, ready_at__isnull=False).order_by("-started_at")
    newest = rows.values_list("started_at", "ready_at").first()
    return (newest[1] - newest[0]).total_seconds() if newest and newest[1] else None


def processes_of_run(run: LearningRun) -> list[Process]:
    """Those that learned or judged for it, the first one first."""
    return list(Process.objects.filter(run=run).select_related("runner").order_by("started_at"))


def latest_evaluations(application: Application) -> list[TriggerEvaluation]:
    """The newest one of each kind, first those that will be looked at again soonest."""
    rows = TriggerEvaluation.objects.filter(application=application).select_related("run").defer("run__log")
    newest = rows.order_by("kind", "-id").distinct("kind")
    return sorted(newest, key=lambda row: (row.again_at is None, row.again_at or row.at, -row.pk))


def lookout(application: Application) -> Lookout | None:
    """What makes it learn next; None before it was looked at, or when it does not learn."""
    return Lookout.objects.filter(application=application, learns=True).first()


def drift(application: Application, *, limit: int = 60) -> list[DriftMeasure]:
    """The latest measures, the oldest of them first, without their windows."""
    rows = DriftMeasure.objects.filter(application=application).select_related("model").defer("window")
    return list(rows.order_by("-id")[:limit])[::-1]


def status_events(run: LearningRun) -> list[LearningEvent]:
    """How the run went from state to state, in order."""
    return list(LearningEvent.objects.filter(run=run, kind="status").order_by("id")[:200])
