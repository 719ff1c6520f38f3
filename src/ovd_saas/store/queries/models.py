"""Model versions and the ledger of what was live when, as doors read them. Floor 1."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, OuterRef, QuerySet, Subquery, Sum

from ovd_saas.domain import models as states
from ovd_saas.store.queries import pages
from ovd_saas.store.records import Application, Batch, ModelVersion, Promotion

_RELATED = ("application__organisation", "run", "parent", "release", "snapshot")
_LONG = ("run__log", "snapshot__batches")


@dataclass(frozen=True)
class Stretch:
    """A row of the ledger, and how long it was in force."""

    promotion: Promotion
    until: datetime | None  # the next promotion; None: it is the last one


def all_of(application: Application) -> QuerySet[ModelVersion]:
    """Every version of an application, newest first."""
    rows = ModelVersion.objects.filter(application=application).select_related(*_RELATED)
    return rows.defer(*_LONG).order_by("-number")


def recent(
    application: Application,
    *,
    before: str | None = None,
    limit: int = pages.USUAL_LIMIT,
    only: Collection[str] = (),
) -> pages.Page[ModelVersion]:
    """A page of `all_of(application)`, in these states; none = any. Raises BadCursor."""
    rows = all_of(application)
    if only:
        rows = rows.filter(state__in=list(only))
    if before is not None:
        (number,) = pages.after(before, int)
        rows = rows.filter(number__lt=number)
    return pages.page(rows, limit, lambda row: (row.number,))


def by_id(id_: int) -> ModelVersion | None:
    return ModelVersion.objects.select_related(*_RELATED).defer(*_LONG).filter(pk=id_).first()


def by_number(application: Application, number: int) -> ModelVersion | None:
    return all_of(application).filter(number=number).first()


def live(application: Application) -> ModelVersion | None:
    """The active version now, whatever `application` was read with."""
    return all_of(application).filter(state=states.ACTIVE).first()


def is_coming(model: ModelVersion) -> bool:
    """Whether it takes over when a process of it is ready."""
    return Application.objects.filter(pk=model.application_id, upcoming_model=model).exists()


def ledger(application: Application) -> QuerySet[Promotion]:
    """Every promotion and rollback, the newest first."""
    rows = Promotion.objects.filter(application=application).select_related("model", "previous")
    return rows.order_by("-at")


def stretches_of(models: Iterable[ModelVersion]) -> dict[int, list[Stretch]]:
    """When each of them was live, oldest first, by the id of the version; one query for all."""
    found: dict[int, list[Stretch]] = {model.pk: [] for model in models}
    for row in _with_ends(Promotion.objects.filter(model_id__in=found)).order_by("at"):
        found[row.model_id].append(Stretch(row, row.until))
    return found


def stretch_at(application: Application, at: datetime) -> Stretch | None:
    """What was live at that moment, and until when; None before the first promotion."""
    row = _with_ends(ledger(application).filter(at__lte=at)).first()
    return Stretch(row, row.until) if row else None


def _with_ends(rows: QuerySet[Promotion]) -> QuerySet[Any]:
    """Each with `until`: the moment of the next row of the ledger."""
    later = Promotion.objects.filter(application=OuterRef("application"), at__gt=OuterRef("at")).order_by("at")
    return rows.annotate(until=Subquery(later.values("at")[:1]))


def live_at(application: Application, at: datetime) -> Promotion | None:
    """The row of the ledger that was in force at that moment; None before the first one. The moment of a promotion
    itself belongs to the new version, and what comes after the last row is what is live now."""
    return ledger(application).filter(at__lte=at).first()


def previous_live(application: Application) -> ModelVersion | None:
    """The version that was live before the current one was first promoted; None when there was none."""
    now = ledger(application).values_list("model_id", flat=True).first()
    if now is None:
        return None
    first = Promotion.objects.filter(application=application, model_id=now).order_by("at").first()
    if first is None or first.previous_id is None:
        return None
    return by_id(first.previous_id)


@dataclass(frozen=True)
class DataStep:
    """What a version was the first to learn from."""

    first: int  # number of a batch
    last: int
    batches: int
    samples: int


def data_steps(models: Iterable[ModelVersion]) -> dict[int, DataStep]:
    """By the id of the version, of those whose run was the first to take any batch; one query for all."""
    runs = {model.run_id: model.pk for model in models if model.run_id is not None}
    rows = Batch.objects.filter(step__in=runs).order_by().values_list("step_id")
    found = rows.annotate(Min("number"), Max("number"), Count("id"), Sum("samples"))
    return {runs[run]: DataStep(*values) for run, *values in found}
