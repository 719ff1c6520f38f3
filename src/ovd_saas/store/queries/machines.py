"""Machines: what a runner told about its walls, templates and memory, as far as a viewer may see it. Floor 1."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Sum

from ovd import preloads
from ovd_saas.domain import executions, learning_runs
from ovd_saas.domain import processes as states
from ovd_saas.store import memory
from ovd_saas.store.queries import applications, counts
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import Application, Execution, LearningRun, Process, Runner

NAMED = 5  # applications that share a template


@dataclass(frozen=True)
class Room:
    """The memory of a machine, in MB."""

    total_mb: int | None  # for all processes of applications together; None: the machine does not say
    held_mb: int  # promised to processes that live
    waiting: int  # applications that wait for some

    @property
    def free_mb(self) -> int | None:
        return None if self.total_mb is None else max(self.total_mb - self.held_mb, 0)


@dataclass(frozen=True)
class Template:
    """A process that has imported libraries and forks the processes of applications."""

    libraries: list[str]
    preload: list[str]  # modules
    environment: str  # digest
    pid: int
    memory_mb: float
    children: int  # that live
    used_at: str  # RFC 3339
    applications: int  # whose release runs in its environment, of those that the viewer may see
    users: tuple[str, ...] = ()  # their addresses, the first ones
    twins: int = 0  # other templates of the same environment on this machine


@dataclass(frozen=True)
class Templates:
    """The templates of a machine."""

    seen: list[Template]
    others: int  # of organisations that the viewer is no member of
    held_mb: float  # by all
    budget_mb: int

    @property
    def free_mb(self) -> float:
        return max(self.budget_mb - self.held_mb, 0.0)


@dataclass(frozen=True)
class InQueue:
    """Executions of one application that wait."""

    application: Application
    count: int
    since: datetime  # the oldest one's moment


def queue(viewer: Viewer, *, limit: int = 50) -> list[InQueue]:
    """What waits to be executed, who has waited for longest first; of applications that the viewer may see."""
    rows = Execution.objects.filter(status=executions.QUEUED).order_by()
    if not viewer.is_staff:
        rows = rows.filter(application__organisation__slug__in=list(viewer.roles))
    found = rows.values_list("application_id").annotate(count=Count("id"), since=Min("created_at")).order_by("since")
    waiting = list(found[:limit])
    there = Application.objects.select_related("organisation").in_bulk([id_ for id_, _, _ in waiting])
    return [InQueue(there[id_], count, since) for id_, count, since in waiting]


def learning_queue(viewer: Viewer, *, limit: int = 50) -> list[LearningRun]:
    """Learning runs that are due and have not begun, or gave way; the oldest first."""
    rows = LearningRun.objects.filter(status__in=(learning_runs.QUEUED, learning_runs.PAUSED))
    if not viewer.is_staff:
        rows = rows.filter(application__organisation__slug__in=list(viewer.roles))
    return list(rows.select_related("application__organisation").defer("log").order_by("created_at")[:limit])


def executing(runners: Iterable[Runner]) -> dict[int, int]:
    """How many executions run on each of them, by its key."""
    ids = {one.pk: 0 for one in runners}
    living = dict(
        Process.objects.filter(runner__in=ids).exclude(state=states.ENDED).values_list("pk", "runner_id")
    )  # fmt: skip
    rows = Execution.objects.filter(status=executions.RUNNING, process__in=living).values_list("process", flat=True)
    for process in rows:
        if process in living:
            ids[living[process]] += 1
    return ids


def rooms(runners: Iterable[Runner]) -> dict[int, Room]:
    """By the key of the runner."""
    held = dict(
        Process.objects.exclude(state=states.ENDED).order_by().values("runner").annotate(held=Sum("memory_mb"))
        .values_list("runner", "held")
    )  # fmt: skip
    waiting = counts.waiting_for_memory()
    return {one.pk: Room(memory.total_mb(one), int(held.get(one.pk) or 0), waiting) for one in runners}


def templates(runner: Runner, viewer: Viewer) -> Templates:
    """As the runner last told; of environments that no application of the viewer's uses, only their number."""
    told: list[dict[str, Any]] = runner.facts.get("templates") or []
    environments = [str(one["environment"]) for one in told]
    sharers = _sharers(set(environments), viewer)
    seen = [
        Template(
            libraries=preloads.libraries(one["preload"]), preload=list(one["preload"]),
            environment=str(one["environment"]), pid=int(one["pid"]), memory_mb=float(one["memory_mb"]),
            children=int(one["children"]), used_at=str(one["used_at"]),
            applications=len(sharers.get(str(one["environment"]), ())),
            users=tuple(sharers.get(str(one["environment"]), ())[:NAMED]),
            twins=environments.count(str(one["environment"])) - 1,
        )
        for one in sorted(told, key=lambda one: str(one["used_at"]), reverse=True)
        if viewer.is_staff or one["environment"] in sharers
    ]  # fmt: skip
    held = sum(float(one["memory_mb"]) for one in told)
    return Templates(seen, len(told) - len(seen), held, int(runner.facts.get("templates_mb") or 0))


def _sharers(environments: set[str], viewer: Viewer) -> dict[str, list[str]]:
    """Environment → addresses of the applications whose current release runs in it."""
    rows = applications.of(viewer).filter(release__environment__in=environments).order_by("organisation__slug", "name")
    found: dict[str, list[str]] = {}
    for environment, org, name in rows.values_list("release__environment", "organisation__slug", "name"):
        found.setdefault(environment, []).append(f"{org}/{name}")
    return found
