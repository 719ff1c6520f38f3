"""Executions: submit, cancel, take down. Floor 2: may use store, files, engines, domain."""

from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

import uuid_utils
from django.db import IntegrityError, transaction

from ovd_saas.appcore import batches, loose_files
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import executions as states
from ovd_saas.domain import health, status
from ovd_saas.store import claims, queue, transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.queries.executions import digests_in, file_digests
from ovd_saas.store.records import Application, Execution, ExecutionEvent, Release

DEFAULT_MAX_QUEUE = 1000  # when the manifest says nothing
LARGEST_SEED = 2**53 - 1  # every JSON reader keeps it exact
RETRY_QUEUE_SECONDS = 5


class NotAccepting(Refusal):
    """The application takes no executions: a draft, suspended, retired, or without a ready release."""

    code = "not_accepting"


class Faulty(Refusal):
    """The application does not start, and its next try is not due."""

    code = "application_faulty"
    http = 503


class QueueFull(Refusal):
    """As many executions wait as the application declared."""

    code = "queue_full"
    http = 429


class IdempotencyMismatch(Refusal):
    """The key was used before, for something else."""

    code = "idempotency_key_reused"
    http = 422


class AlreadyFinished(Refusal):
    """It has its final state."""

    code = "already_finished"


class NotFinished(Refusal):
    """It has no final state yet."""

    code = "not_finished"


def new_id() -> UUID:
    """A UUIDv7: ids sort by time (RFC 9562)."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def check_accepting(application: Application, *, now: datetime) -> Release:
    """The release that would run. Raises NotAccepting or Faulty."""
    if application.status != status.ENABLED:
        why = {
            status.DRAFT: "is a draft. Push a release that gets ready",
            status.SUSPENDED: "is suspended. Ask its operators to enable it",
            status.RETIRED: "is retired. Its archive stays readable",
        }[application.status]
        raise NotAccepting(f"Application {application.address} {why}.")
    if application.release is None:
        raise NotAccepting(f"Application {application.address} has no ready release. Push one.")
    if application.health == health.FAULTY and application.retry_at and application.retry_at > now:
        pause = ceil((application.retry_at - now).total_seconds())
        raise Faulty(
            f"Application {application.address} does not start: {application.reason} Try again in {pause} s.",
            retry_after_seconds=pause,
        )
    return application.release


def enter(
    *,
    id_: UUID,
    application_id: int,
    inputs: dict[str, Any],
    seed: int,
    deadline_at: datetime | None,
    caller: str,
    by_id: int | None,
    cause: dict[str, Any],
    request_digest: str,
    max_queue: int,
    now: datetime,
    consent: bool = False,
) -> bool:
    """The short way of `submit`, for what has no idempotency key: afterwards it is on disk, queued, and AppCore has
    been told. False, and nothing happened, when it would be refused: `submit` says why."""
    return queue.enter(
        id_=id_, application_id=application_id, inputs=inputs, seed=seed, deadline_at=deadline_at, caller=caller,
        by_id=by_id, cause=cause, request_digest=request_digest, consent=consent, most=max_queue, now=now,
    )  # fmt: skip


def submit(
    *,
    application: Application,
    inputs: dict[str, Any],
    seed: int,
    deadline_at: datetime | None,
    caller: str,
    by_id: int | None,
    cause: dict[str, Any],
    idempotency_key: str | None,
    request_digest: str,
    now: datetime,
    id_: UUID | None = None,
    consent: bool = False,
) -> tuple[Execution, bool]:
    """Afterwards the execution is on disk, queued, and AppCore has been told; `(execution, created)`.

    With a key that this caller used before for the same request, the earlier execution is returned, not created.
    `inputs` are canonical (`ovd.schema.accept`), files as {name, media_type, size in bytes, digest}; when it is
    refused, nobody needs to look after those files. With `consent` the application may learn from it.
    Raises NotAccepting, Faulty, QueueFull, IdempotencyMismatch.
    """
    try:
        if idempotency_key and (earlier := _earlier(application, caller, idempotency_key, request_digest)):
            return earlier, False
        _check_queue(application, check_accepting(application, now=now))
    except Refusal:
        loose_files.let_go(digests_in(inputs), now=now)
        raise
    try:
        with transaction.atomic():
            execution = Execution.objects.create(
                id=id_ or new_id(),
                application=application,
                status=states.QUEUED,
                inputs=inputs,
                seed=seed,
                created_at=now,
                deadline_at=deadline_at,
                caller=caller,
                created_by_id=by_id,
                cause=cause,
                idempotency_key=idempotency_key or None,
                request_digest=request_digest,
                consent=consent,
            )
            ExecutionEvent.objects.create(execution=execution, kind="status", body={"status": states.QUEUED}, at=now)
            notify("queue", application=application.pk)
            notify("execution", id=execution.pk, application=application.pk, status=states.QUEUED)
    except IntegrityError:
        if not idempotency_key:
            raise
        earlier = _earlier(application, caller, idempotency_key, request_digest)
        if earlier is None:
            raise
        return earlier, False
    return execution, True


def cancel(*, execution_id: UUID, by: str, now: datetime) -> Execution:
    """Afterwards it is cancelled. Raises NotFound, AlreadyFinished.

    If it runs, whoever holds its lease asks the process to stop it, and has it killed when it does not; without such a
    holder it is killed at once.
    """
    reason = {"code": "cancelled", "message": f"Cancelled by {by.removeprefix('user:')}."}
    with transaction.atomic():
        execution = _locked(execution_id)
        if not transitions.execution(execution_id, states.CANCEL, now=now, error=reason):
            raise AlreadyFinished(f"Execution {execution_id} is {execution.status} already.")
        is_attended = execution.lease_until is not None and execution.lease_until > now
        if execution.status == states.RUNNING and execution.process and not is_attended:
            claims.condemn(execution.process, "The execution it worked on was cancelled.")
    execution.refresh_from_db()
    return execution


def take_down(*, execution_id: UUID, by: str, now: datetime) -> None:
    """Afterwards inputs, outputs, error, log, label, and the samples made of them, are gone; provenance stays. Their
    bytes follow after a grace, unless something else refers to them. Raises NotFound, NotFinished."""
    with transaction.atomic():
        execution = _locked(execution_id)
        if execution.status not in states.FINAL:
            raise NotFinished(f"Execution {execution_id} is {execution.status}. Cancel it first.")
        batches.forget_execution(execution=execution, by=by, now=now)
        loose_files.let_go(file_digests(execution), now=now)
        Execution.objects.filter(pk=execution_id, taken_down_at=None).update(
            inputs={}, outputs=None, error=None, log="", progress=None, feedback=None, taken_down_at=now
        )
        ExecutionEvent.objects.filter(execution_id=execution_id).exclude(kind="status").delete()
        notify("execution", id=execution_id, application=execution.application_id, status=execution.status)


def _earlier(application: Application, caller: str, key: str, request_digest: str) -> Execution | None:
    found = Execution.objects.filter(application=application, caller=caller, idempotency_key=key).first()
    if found and found.request_digest != request_digest:
        raise IdempotencyMismatch(
            f"Idempotency-Key {key!r} was used for another request. Use a new key for a new request."
        )
    return found


def max_queue(release: Release) -> int:
    """How many executions may wait."""
    return int(release.manifest.get("execute", {}).get("max_queue", DEFAULT_MAX_QUEUE))


def _check_queue(application: Application, release: Release) -> None:
    most = max_queue(release)
    waiting = Execution.objects.filter(application=application, status=states.QUEUED)[:most].count()
    if waiting >= most:
        raise QueueFull(
            f"{waiting} executions wait for {application.address}, which is its limit. Try again later.",
            retry_after_seconds=RETRY_QUEUE_SECONDS,
        )


def _locked(execution_id: UUID) -> Execution:
    found = Execution.objects.select_for_update().filter(pk=execution_id).first()
    if found is None:
        raise NotFound(f"There is no execution {execution_id}.")
    return found
