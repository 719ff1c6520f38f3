"""Counts: the platform in a few numbers, cheap enough to be asked every few seconds. Floor 1."""

from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum

from ovd_saas.domain import executions as executing
from ovd_saas.domain import processes as processing
from ovd_saas.domain.phase import phase
from ovd_saas.store.records import (
    Application,
    Batch,
    Execution,
    LearningRun,
    ModelVersion,
    Process,
    Promotion,
    Release,
    Runner,
)


def applications_by_phase() -> Counter[str]:
    rows = Application.objects.order_by().values_list("service", "learning").annotate(Count("id"))
    counts: Counter[str] = Counter()
    for service, learning, count in rows:
        counts[phase(service, learning)] += count
    return counts


def applications_by_status() -> Counter[str]:
    return Counter(dict(Application.objects.order_by().values_list("status").annotate(Count("id"))))


def faulty_applications() -> int:
    return Application.objects.filter(health="faulty").count()


def executions_last_hour(now: datetime) -> Counter[str]:
    """By status; the ids of UUIDv7 begin with their moment, which makes this a range of the primary key."""
    first = f"{int((now - timedelta(hours=1)).timestamp() * 1000):012x}"
    since = f"{first[:8]}-{first[8:]}-0000-0000-000000000000"
    rows = Execution.objects.filter(id__gte=since).order_by()
    return Counter(dict(rows.values_list("status").annotate(Count("id"))))


def unfinished_executions() -> Counter[str]:
    """How many wait and how many run, from their partial indexes."""
    counts = Counter(
        {status: Execution.objects.filter(status=status).count() for status in (executing.QUEUED, executing.RUNNING)}
    )
    return counts


def processes_by_state() -> Counter[str]:
    rows = Process.objects.filter(~Q(state=processing.ENDED)).order_by()
    return Counter(dict(rows.values_list("state").annotate(Count("id"))))


def releases_by_state() -> Counter[str]:
    return Counter(dict(Release.objects.order_by().values_list("state").annotate(Count("id"))))


def waiting_for_memory() -> int:
    """Applications that wait until a machine has memory for them."""
    return Application.objects.filter(waits_since__isnull=False).count()


def runners_up() -> int:
    return Runner.objects.filter(is_up=True).count()


def batches() -> int:
    return Batch.objects.count()


def pending_samples() -> int:
    """Of the batches that no learning run has taken, from their partial index."""
    rows = Batch.objects.filter(step__isnull=True, taken_down_at__isnull=True)
    return rows.aggregate(total=Sum("samples"))["total"] or 0


def learning_runs_by_status() -> Counter[str]:
    return Counter(dict(LearningRun.objects.order_by().values_list("status").annotate(Count("id"))))


def models_by_state() -> Counter[str]:
    return Counter(dict(ModelVersion.objects.order_by().values_list("state").annotate(Count("id"))))


def promotions_by_kind() -> Counter[str]:
    return Counter(dict(Promotion.objects.order_by().values_list("kind").annotate(Count("id"))))
