"""Reaping: leases that ran out, deadlines that passed. Floor 2."""

from django.utils import timezone

from ovd_saas.domain import executions
from ovd_saas.store import claims
from ovd_saas.store.records import Execution

AT_ONCE = 200


def tick() -> bool:
    """Frees what nobody holds any more; True if there may be more."""
    return max(_leases(), _deadlines()) == AT_ONCE


def _leases() -> int:
    """A lease that ran out: whoever held it died or hangs, and can no longer finish it."""
    now = timezone.now()
    lost = Execution.objects.filter(status=executions.RUNNING, lease_until__lt=now)
    found = list(lost.values_list("pk", "lease")[:AT_ONCE])
    for id_, lease in found:
        claims.give_back(id_, lease, "Nobody kept its lease.", counts=True, now=now)
    return len(found)


def _deadlines() -> int:
    now = timezone.now()
    late = Execution.objects.filter(status=executions.QUEUED, deadline_at__lt=now).order_by()
    applications = list(late.values_list("application_id", flat=True).distinct()[:AT_ONCE])
    for application_id in applications:
        claims.expire(application_id, now=now)
    return len(applications)
