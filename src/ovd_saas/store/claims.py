"""Claims: who may run an execution now. A lease is a fencing token with an end: only its holder may finish. Floor 1.

Every function is one transaction that names the state (and the lease) it starts from; when somebody was faster it
changes nothing and says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from ovd_saas.domain import executions, outcomes, processes
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Execution, ExecutionEvent, Process, Release

LEASE = timedelta(seconds=10)
DEFAULT_ATTEMPTS = 3  # when the manifest says nothing
_CANDIDATES = 8  # looked at in one claim: others may hold the first ones


class Nothing(Enum):
    """Why a claim got no execution."""

    EMPTY = "nobody waits"
    FULL = "the process runs as many as it can"
    GONE = "the process takes no more work"
    BUSY = "somebody else claims for this process at this moment"


@dataclass(frozen=True)
class Result:
    """How an execution ended in its process, as it is archived."""

    event: str  # executions.SUCCEED, REJECT or FAIL
    outputs: dict[str, Any] | None  # canonical values, files as {name, media_type, size, digest}
    error: dict[str, Any] | None  # {code, message, traceback?}
    log: str
    seconds: float | None  # in the application
    digests: Mapping[str, Any]
    hardware: Mapping[str, Any]
    progress: dict[str, Any] | None


_NEXT = """
    SELECT execution.id FROM store_execution AS execution JOIN (
        SELECT id, row_number() OVER (PARTITION BY caller ORDER BY created_at, id) AS turn
        FROM store_execution WHERE application_id = %(application)s AND status = 'queued' AND created_at <= %(before)s
        ORDER BY turn, created_at, id LIMIT %(candidates)s
    ) AS waiting USING (id)
    WHERE execution.status = 'queued' ORDER BY waiting.turn, execution.created_at, execution.id
    LIMIT 1 FOR UPDATE OF execution SKIP LOCKED"""


@transaction.atomic
def claim(process_id: UUID, *, now: datetime, waited: timedelta = timedelta(0)) -> Execution | Nothing:
    """The next execution in fair order (`domain.outcomes.fair`), now running in this process under a new lease.

    With `waited`, only what has been queued, for a process that has been ready, at least so long. Those whose
    deadline has passed become expired on the way.
    """
    process = _process(process_id, ready_before=now - waited)
    if isinstance(process, Nothing):
        return process
    _expire(process.application_id, now)
    id_ = _next(process.application_id, before=now - waited)
    if id_ is None:
        return Nothing.EMPTY
    transitions.execution(
        id_,
        executions.CLAIM,
        now=now,
        lease=None,
        process=process.pk,
        release_id=process.release_id,
        started_at=now,
        attempts=F("attempts") + 1,
        lease_until=now + LEASE,
        **{"lease_number": F("lease") + 1},
    )
    return Execution.objects.get(pk=id_)
