"""What the Control Panel counts and filters over all applications. Floor 1."""

from dataclasses import dataclass

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When

from ovd_saas.domain import health, learning, service, status
from ovd_saas.domain import processes as processing
from ovd_saas.store.queries import applications
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import (
    Application,
    DriftMeasure,
    LearningRun,
    Lookout,
    Process,
    TriggerEvaluation,
)

_ASLEEP = Q(service=service.ASLEEP)
_LEARNS = Q(learning__in=learning.OCCUPIED)
_FAULTY = Q(health=health.FAULTY, status=status.ENABLED)
_CLOSED = _ASLEEP & ~Q(status=status.ENABLED)  # people decided that nothing starts, and nothing runs any more
_OPEN = ~_FAULTY & ~_CLOSED
SHOWN = {  # every application is in exactly one of them
    "faulty": _FAULTY,
    "executing": ~_ASLEEP & ~_FAULTY,
    "learning": _ASLEEP & _LEARNS & _OPEN,
    "idle": _ASLEEP & ~_LEARNS & _OPEN,
    status.DRAFT: _CLOSED & Q(status=status.DRAFT),
    status.SUSPENDED: _CLOSED & Q(status=status.SUSPENDED),
    status.RETIRED: _CLOSED & Q(status=status.RETIRED),
}
_GROUP = Case(*[When(rule, then=Value(f"{place}")) for place, rule in enumerate(SHOWN.values())],
              output_field=CharField())  # fmt: skip
_ADDRESS = ("organisation__slug", "name")
SORTS = {  # narrow columns only: ten thousand rows are sorted in a few milliseconds
    "name": _ADDRESS,
    "-name": ("-organisation__slug", "-name"),
    "state": (_GROUP, *_ADDRESS),
    "-state": (_GROUP.desc(), *_ADDRESS),
    "release": (F("release__number").asc(nulls_last=True), *_ADDRESS),
    "-release": (F("release__number").desc(nulls_last=True), *_ADDRESS),
    "model": (F("model__number").asc(nulls_last=True), *_ADDRESS),
    "-model": (F("model__number").desc(nulls_last=True), *_ADDRESS),
    "changed": ("since", *_ADDRESS),
    "-changed": ("-since", *_ADDRESS),
    "next": (F("next_at").asc(nulls_last=True), *_ADDRESS),
    "-next": (F("next_at").desc(nulls_last=True), *_ADDRESS),
}


@dataclass(frozen=True)
class Fleet:
    """How many applications are what; each counts once."""

    faulty: int
    executing: int
    learning: int
    idle: int
    draft: int
    suspended: int
    retired: int

    @property
    def all(self) -> int:
        return sum(getattr(self, name) for name in SHOWN)


def fleet(viewer: Viewer) -> Fleet:
    counts = {f"of_{name}": Count("id", filter=rule) for name, rule in SHOWN.items()}
    found = applications.of(viewer).order_by().aggregate(**counts)
    return Fleet(**{name: found[f"of_{name}"] for name in SHOWN})


def found(
    viewer: Viewer,
    *,
    text: str = "",
    show: str = "",
    organisation: str = "",
    learns: bool | None = None,
    sort: str = "name",
) -> QuerySet[Application]:
    """Applications whose address, title or summary contains every word of `text`, of one group of SHOWN or of all, of
    one organisation or of all, that learn or do not or either, in one of the orders of SORTS."""
    rows = applications.of(viewer)
    for word in text.replace("/", " ").split():
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(summary__icontains=word)
            | Q(organisation__slug__icontains=word)
        )
    if show in SHOWN:
        rows = rows.filter(SHOWN[show])
    if organisation:
        rows = rows.filter(organisation__slug=organisation)
    if learns is not None:
        learning_ones = Lookout.objects.filter(learns=True).values("application")
        rows = rows.filter(pk__in=learning_ones) if learns else rows.exclude(pk__in=learning_ones)
    return rows.order_by(*SORTS.get(sort, SORTS["name"]))


def adoptable(viewer: Viewer, *, text: str = "") -> QuerySet[Application]:
    """What the viewer may see that has a ready release to run, by address."""
    rows = found(viewer, text=text).filter(release__isnull=False)
    return rows.exclude(status=status.RETIRED)


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
