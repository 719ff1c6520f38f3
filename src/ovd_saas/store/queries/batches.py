"""Batches, beyond what `queries/received` lists: where one came from, and who learned from it. Floor 1."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from ovd_saas.store.queries.received import batch as by_number
from ovd_saas.store.queries.received import batches as page_of
from ovd_saas.store.queries.received import status
from ovd_saas.store.records import Application, Batch, Execution, ModelVersion, SourceFile

__all__ = ["by_number", "from_executions", "models_of", "of_execution", "page_of", "source_files", "status",
           "to_pull", "unknown_sources", "unsampled", "why_no_sample"]  # fmt: skip

AT_ONCE = 500  # applications whose manifests are read in one look


def models_of(batch: Batch) -> list[ModelVersion]:
    """Versions whose snapshot holds the batch, and their descendants that learned new data only; oldest first."""
    rows = ModelVersion.objects.filter(application=batch.application_id).select_related("snapshot", "run")
    learned: set[int] = set()
    found = []
    for model in rows.order_by("number"):
        if _holds(model, batch) or (_goes_on(model) and model.parent_id in learned):
            learned.add(model.pk)
            found.append(model)
    return found


def _holds(model: ModelVersion, batch: Batch) -> bool:
    return model.snapshot is not None and any(number == batch.number for number, *_ in model.snapshot.batches)


def _goes_on(model: ModelVersion) -> bool:
    """Whether it learned on top of what its parent had learned, from new data only."""
    return model.snapshot is None or model.snapshot.rule.get("data") == "new"


def of_execution(execution: Execution) -> list[Batch]:
    """The batches that hold a sample made of it, and were not taken down."""
    rows = Batch.objects.filter(application=execution.application_id, taken_down_at=None)
    id_ = str(execution.pk)
    given = rows.filter(kind="feedback", origin__execution=id_) if execution.feedback else rows.none()
    was_sampled = isinstance(execution.sampled, dict) and "batch" in execution.sampled
    gathered = rows.filter(kind="execution", origin__executions__contains=[id_]) if was_sampled else rows.none()
    return [*given.order_by("number"), *gathered.order_by("number")]


def unsampled(application_id: int, most: int) -> list[UUID]:
    """Succeeded executions with consent that nobody has looked at as samples, the earliest first."""
    rows = Execution.objects.filter(
        application=application_id, status="succeeded", consent=True, sampled__isnull=True, taken_down_at=None
    )
    return list(rows.order_by("finished_at", "id").values_list("pk", flat=True)[:most])


def unknown_sources() -> list[Application]:
    """Enabled applications whose sources were not looked at since they have this release, as many as one looks at."""
    rows = Application.objects.filter(~Q(pull_release=F("release")), status="enabled", release__isnull=False)
    return list(rows.select_related("release").order_by("pk")[:AT_ONCE])


def to_pull(now: datetime) -> list[Application]:
    """Enabled applications with sources that somebody asked to be pulled, or whose moment has come."""
    due = Application.objects.filter(pull_at__lte=now).values_list("pk", flat=True)
    asked = Application.objects.filter(pull_asked_at__isnull=False).values_list("pk", flat=True)
    ids = list(due.union(asked))
    if not ids:
        return []
    rows = Application.objects.filter(pk__in=ids, status="enabled", release__manifest__learn__sources__0__isnull=False)
    return list(rows.select_related("organisation", "release__created_by").order_by("pk"))


def from_executions() -> list[Application]:
    """Enabled applications that learn from executions, and have some that nobody has looked at."""
    waiting = Execution.objects.filter(
        application=OuterRef("pk"), status="succeeded", consent=True, sampled__isnull=True, taken_down_at=None
    )
    rows = Application.objects.filter(Exists(waiting), status="enabled", release__manifest__learn__from_executions=True)
    return list(rows.select_related("organisation", "release").order_by("pk"))


def source_files(application: Application, source: str, *, limit: int = 100) -> list[SourceFile]:
    """Of one source, the latest first; the one without a path is about the source as a whole."""
    rows = SourceFile.objects.filter(application=application, source=source).select_related("batch")
    return list(rows.order_by("-seen_at", "-id")[:limit])


def why_no_sample(application: Application, *, latest: int = 1000) -> dict[str, int]:
    """Why executions with consent did not become samples, and how many for each reason, of the latest ones."""
    rows = Execution.objects.filter(application=application, consent=True, sampled__why__isnull=False)
    found: dict[str, int] = {}
    for why in rows.order_by("-created_at").values_list("sampled__why", flat=True)[:latest]:
        found[str(why)] = found.get(str(why), 0) + 1
    return found
