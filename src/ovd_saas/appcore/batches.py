"""Batches: number what was delivered, take it down, say who learned from it. Floor 2: may use store, files, domain."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from ovd_saas.appcore import loose_files
from ovd_saas.appcore.execution_view import moment
from ovd_saas.appcore.intake import Delivered, NotLearning
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import status
from ovd_saas.files import Missing, store
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import batches as queries
from ovd_saas.store.records import Application, Batch, DeliveryKey, Execution, LearningRun, ModelVersion

INTAKE = "intake"  # sent by somebody
SOURCE = "source"  # pulled from a declared source
FEEDBACK = "feedback"  # a label that somebody gave to an execution
EXECUTION = "execution"  # executions with consent
_ONCE = (INTAKE, SOURCE)  # kinds of which the same samples again are the same batch


class KeyReused(Refusal):
    """The Idempotency-Key was used before, for other data."""

    code = "idempotency_key_reused"
    http = 422


class TakenDown(Refusal):
    """The bytes of the batch are gone for good."""

    code = "taken_down"
    http = 410


@dataclass(frozen=True)
class Sender:
    """Who delivers."""

    key: str  # what idempotency counts by: "user:7" | "appcore"
    by_id: int | None = None


APPCORE = Sender("appcore")


def receive(
    *,
    application_id: int,
    delivered: Delivered,
    kind: str,
    sender: Sender,
    idempotency_key: str | None = None,
    same_within: float = 0.0,
    step: LearningRun | None = None,
    now: datetime,
) -> tuple[Batch, bool]:
    """Afterwards there is a batch of these samples, committed unless the caller is inside a transaction; `(batch,
    created)`. AppCore has been told.

    It is an earlier batch when the key was used before for the same bytes, or when the same samples came within the
    last `same_within` seconds. Raises KeyReused, NotLearning; then nobody needs to look after the bytes.
    """
    try:
        with transaction.atomic():
            application = _locked(application_id, kind)
            earlier = _earlier(application, delivered, kind, sender, idempotency_key, same_within, now)
            batch = earlier or _create(application, delivered, kind, sender, idempotency_key, step, now)
            if earlier is not None:
                loose_files.let_go(delivered.digests, now=now)
    except Refusal:
        loose_files.let_go(delivered.digests, now=now)
        raise
    return batch, earlier is None


def _locked(application_id: int, kind: str) -> Application:
    """Whoever holds it numbers batches: so the numbers have no gaps. Raises NotLearning."""
    rows = Application.objects.select_for_update(of=("self",)).select_related("organisation")
    application = rows.get(pk=application_id)
    if application.status == status.RETIRED and kind != EXECUTION:  # what it has may still be put into new batches
        raise NotLearning(f"{application.address} is retired. It takes no data any more.")
    return application


def _earlier(
    application: Application,
    delivered: Delivered,
    kind: str,
    sender: Sender,
    key: str | None,
    same_within: float,
    now: datetime,
) -> Batch | None:
    if key is not None and (known := _of_key(application, sender, key)):
        batch, received = known
        if received != delivered.received:
            raise KeyReused(
                f"Idempotency-Key {key!r} was used for other data, batch {batch.number}. Use a new key for new data."
            )
        return batch
    if kind not in _ONCE:
        return None
    same = Q(received=delivered.received) | Q(digest=delivered.digest)
    rows = Batch.objects.filter(same, application=application, kind__in=_ONCE, taken_down_at=None)
    batch_ = rows.filter(created_at__gt=now - timedelta(seconds=same_within)).order_by("-number").first()
    if batch_ is not None and key is not None:
        DeliveryKey.objects.create(
            application=application, caller=sender.key, key=key, received=delivered.received, batch=batch_
        )
    return batch_


def _of_key(application: Application, sender: Sender, key: str) -> tuple[Batch, str] | None:
    """The batch that this key stands for, and the digest of what was sent with it."""
    first = Batch.objects.filter(application=application, caller=sender.key, idempotency_key=key).first()
    if first is not None:
        return first, first.received
    rows = DeliveryKey.objects.filter(application=application, caller=sender.key, key=key)
    later = rows.select_related("batch").first()
    return (later.batch, later.received) if later is not None else None


def _create(
    application: Application,
    delivered: Delivered,
    kind: str,
    sender: Sender,
    key: str | None,
    step: LearningRun | None,
    now: datetime,
) -> Batch:
    last = Batch.objects.filter(application=application).order_by("-number").values_list("number", flat=True).first()
    batch = Batch.objects.create(
        application=application,
        number=(last or 0) + 1,
        digest=delivered.digest,
        size=delivered.size,
        samples=delivered.samples,
        kind=kind,
        media_type=delivered.media_type,
        origin=delivered.origin,
        files=delivered.files,
        received=delivered.received,
        idempotency_key=key,
        caller=sender.key,
        created_by_id=sender.by_id,
        created_at=now,
        step=step,
    )
    notify("batch", application=application.pk)
    return batch


def take_down(*, batch: Batch, by: str, now: datetime) -> list[ModelVersion]:
    """Afterwards the bytes of the batch, and of the files that its samples name, are let go; the row stays. The models
    that learned from it, which keep what they learned. A batch that was taken down before stays as it is."""
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=batch.application_id)
        found = Batch.objects.select_for_update().get(pk=batch.pk)
        if found.taken_down_at is None:
            loose_files.let_go([found.digest, *found.files], now=now)
            Batch.objects.filter(pk=found.pk).update(taken_down_at=now, taken_down_by=by)
            notify("batch", application=found.application_id)
    batch.refresh_from_db()
    return models_of(batch)


def models_of(batch: Batch) -> list[ModelVersion]:
    """The versions that learned from it, oldest first: those whose snapshot holds it, and those that went on from one
    of them with new data only."""
    return queries.models_of(batch)


def forget_execution(*, execution: Execution, by: str, now: datetime) -> None:
    """Afterwards no batch holds a sample that was made of this execution. Inside the caller's transaction, which has
    locked the execution.

    A batch of several executions is taken down as a whole, as batches never change, and one with the samples of the
    others takes its place: as the step of the same learning run, so that none of them is learned twice.
    """
    for batch in queries.of_execution(execution):
        take_down(batch=batch, by=by, now=now)
        others = [id_ for id_ in batch.origin.get("executions", []) if id_ != str(execution.pk)]
        if others:
            _replace(batch, str(execution.pk), now)


def _replace(batch: Batch, without: str, now: datetime) -> None:
    executions = batch.origin["executions"]
    try:
        lines = store.read(batch.digest).splitlines(keepends=True)
    except Missing:
        return  # somebody took the whole batch down before, and its bytes are gone
    kept = [(id_, line) for id_, line in zip(executions, lines, strict=True) if id_ != without]
    content = b"".join(line for _, line in kept)
    digest = store.put(content)
    named = [digest_ for digest_ in batch.files if digest_.encode() in content]
    delivered = Delivered(
        digest=digest,
        size=len(content),
        samples=len(kept),
        received=digest,
        media_type=batch.media_type,
        files=named,
        origin={"executions": [id_ for id_, _ in kept], "instead_of": batch.number},
    )
    step = LearningRun.objects.filter(pk=batch.step_id).first() if batch.step_id else None
    receive(
        application_id=batch.application_id, delivered=delivered, kind=batch.kind, sender=APPCORE, step=step, now=now
    )


def view(batch: Batch) -> dict[str, Any]:
    """The batch of API v1; read it with `select_related("step")`."""
    return {
        "id": str(batch.pk),
        "number": batch.number,
        "samples": batch.samples,
        "size": batch.size,
        "digest": batch.digest,
        "status": queries.status(batch),
        "kind": batch.kind,
        "media_type": batch.media_type,
        "origin": batch.origin,
        "learning_run": {"id": str(batch.step.pk), "number": batch.step.number} if batch.step else None,
        "created_at": moment(batch.created_at),
        "taken_down_at": moment(batch.taken_down_at),
    }


def content(batch: Batch) -> str:
    """The digest of its bytes, which are there. Raises TakenDown."""
    if batch.taken_down_at is not None or not store.exists(batch.digest):
        raise TakenDown(f"Batch {batch.number} was taken down: its samples are gone for good.")
    return batch.digest
