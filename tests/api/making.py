"""Making executions for tests of the API."""

from typing import Any

from django.utils import timezone

from ovd_saas.appcore.executions import new_id
from ovd_saas.store.records import Application, Execution


def make_execution(application: Application, **also: Any) -> Execution:
    """Succeeded, as the journal would have it; other columns as given."""
    now = timezone.now()
    values: dict[str, Any] = {
        "id": new_id(),
        "application": application,
        "release": application.release,
        "status": "succeeded",
        "inputs": {"text": "hi"},
        "outputs": {"text": "hi"},
        "seed": 7,
        "created_at": now,
        "started_at": now,
        "finished_at": now,
        "seconds": 0.5,
        "caller": "user:0",
        "cause": {"kind": "api"},
    }
    return Execution.objects.create(**{**values, **also})
