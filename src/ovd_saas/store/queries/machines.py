"""Machines: what a runner told about its walls, templates and memory, as far as a viewer may see it. Floor 1."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Sum

from ovd import preloads
from ovd_saas.domain import processes as states
from ovd_saas.store import memory
from ovd_saas.store.queries import applications, counts
from ovd_saas.store.queries.applications import Viewer
from ovd_saas.store.records import Process, Runner


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
    sharers = _sharers({str(one["environment"]) for one in told}, viewer)
    seen = [
        Template(
            libraries=preloads.libraries(one["preload"]), preload=list(one["preload"]),
            environment=str(one["environment"]), pid=int(one["pid"]), memory_mb=float(one["memory_mb"]),
            children=int(one["children"]), used_at=str(one["used_at"]),
            applications=sharers.get(str(one["environment"]), 0),
        )
        for one in sorted(told, key=lambda one: str(one["used_at"]), reverse=True)
        if viewer.is_staff or one["environment"] in sharers
    ]  # fmt: skip
    held = sum(float(one["memory_mb"]) for one in told)
    return Templates(seen, len(told) - len(seen), held, int(runner.facts.get("templates_mb") or 0))


def _sharers(environments: set[str], viewer: Viewer) -> dict[str, int]:
    """Environment → applications whose current release runs in it."""
    rows = applications.of(viewer).filter(release__environment__in=environments).order_by()
    return dict(rows.values_list("release__environment").annotate(Count("pk")))
