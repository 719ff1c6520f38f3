"""Reaping: leases that ran out, deadlines that passed. Floor 2."""

from django.utils import timezone

from ovd_saas.domain import executions, outcomes
from ovd_saas.store import transitions
from ovd_saas.store.records import Execution

AT_ONCE = 200


def tick() -> bool:
    """Frees what nobody holds any more; True if there may be more."""
    return max(_leases(), _deadlines()) == AT_ONCE


def _leases() -> int:
    """A lease that ran out: whoever held it died or hangs, and can no longer finish it."""
    now = timezone.now()
    lost = Execution.objects.filter(status=executions.RUNNING, lease_until__lt=now)
    found = list(lost.select_related("release")[:AT_ONCE])
    for execution in found:
        limits = execution.release.manifest.get("execute", {}) if execution.release else {}
        event = outcomes.after_loss(execution.attempts, int(limits.get("max_attempts", 3)))
        values = {} if event == executions.REQUEUE else {
            "error": {
                "code": "lost",
                "message": f"Its process was lost {execution.attempts} times; it is not tried again.",
            }
        }  # fmt: skip
        transitions.execution(
            execution.pk, event, now=now, lease=execution.lease, source=executions.RUNNING, lease_until=None, **values
        )
    return len(found)


def _deadlines() -> int:
    now = timezone.now()
    late = Execution.objects.filter(status=executions.QUEUED, deadline_at__lt=now)
    ids = list(late.values_list("pk", flat=True)[:AT_ONCE])
    error = {"code": "expired", "message": "Its deadline passed before it started."}
    for id_ in ids:
        transitions.execution(id_, executions.EXPIRE, now=now, error=error)
    return len(ids)
