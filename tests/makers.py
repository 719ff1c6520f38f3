"""Makers of rows for tests: an organisation with people, an application with a ready release, what it learned."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ovd.fields import Field
from ovd.schema import sample_of
from ovd_saas.appcore.executions import new_id
from ovd_saas.domain import learning_runs
from ovd_saas.store.notices import notify
from ovd_saas.store.records import (
    Application,
    Batch,
    LearningRun,
    Membership,
    ModelVersion,
    Organisation,
    Promotion,
    Release,
    Snapshot,
    User,
)

SCHEMA = {
    "version": 1,
    "inputs": {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {"text": {"type": "string", "x-ovd": {"kind": "text", "order": 0}}},
    },
    "outputs": {"type": "object", "properties": {}},
    "samples": [],
}
SAMPLE = (
    Field("number", name="flow", minimum=0, unit="l/s"),
    Field("datetime", name="at"),
    Field("text", name="label", optional=True, maximum_length=100),
)


def organisation(slug: str = "acme") -> Organisation:
    return Organisation.objects.get_or_create(slug=slug, defaults={"title": slug.capitalize()})[0]


def user(name: str = "ana", role: str = "owner", slug: str = "acme") -> User:
    made, _ = User.objects.get_or_create(username=name)
    Membership.objects.get_or_create(organisation=organisation(slug), user=made, defaults={"role": role})
    return made


def draft(name: str = "echo", slug: str = "acme") -> Application:
    return Application.objects.create(organisation=organisation(slug), name=name, title=name, since=timezone.now())


def release(application: Application, number: int = 1, **manifest: Any) -> Release:
    return Release.objects.create(
        application=application,
        number=number,
        state="ready",
        digest=f"sha256:{number:064x}",
        environment="sha256:" + "e" * 64,
        schema=SCHEMA,
        manifest={"execute": {"timeout": 60, "concurrency": 1, "max_queue": 1000, "max_attempts": 3}, **manifest},
    )


def application(name: str = "echo", slug: str = "acme", **manifest: Any) -> Application:
    """Enabled, asleep, with a ready release."""
    made = draft(name, slug)
    Application.objects.filter(pk=made.pk).update(status="enabled", release=release(made, **manifest))
    return Application.objects.select_related("organisation", "release").get(pk=made.pk)


def batch(application: Application, number: int = 1, samples: int = 10, **also: Any) -> Batch:
    """Pending, of `samples` samples; its bytes are not stored."""
    digest = f"sha256:{application.pk:032x}{number:032x}"
    values = {
        "digest": digest,
        "received": digest,
        "size": samples * 16,
        "samples": samples,
        "kind": "intake",
        "media_type": "application/x-ndjson",
        "caller": "user:0",
        "created_at": timezone.now(),
    }
    return Batch.objects.create(application=application, number=number, **{**values, **also})


def snapshot(application: Application, last: int = 1, samples: int = 10, **also: Any) -> Snapshot:
    """Of the batches 1 to `last`, an even part of the samples in each, a fifth of them held out."""
    holdout = samples // 5
    values = {
        "digest": f"sha256:{application.pk:032x}{last:032x}",
        "batches": [[number, f"sha256:{number:064x}", samples // last] for number in range(1, last + 1)],
        "rule": {"data": "all", "holdout": "last", "holdout_fraction": 0.2, "time": None, "after": 0},
        "samples": samples,
        "train": samples - holdout,
        "holdout": holdout,
        "created_at": timezone.now(),
    }
    return Snapshot.objects.create(application=application, last=last, **{**values, **also})


def learning_run(application: Application, number: int = 1, status: str = "promoted", **also: Any) -> LearningRun:
    """Made by hand: the learning region of its application is not touched."""
    now = timezone.now()
    is_begun = status not in ("queued", "cancelled")
    is_over = status not in learning_runs.OPEN
    values = {
        "id": new_id(),
        "status": status,
        "trigger": "manual",
        "cause": "user:ana",
        "reason": "ana asked for it.",
        "release": application.release if is_begun else None,
        "seed": 7,
        "attempts": int(is_begun),
        "created_at": now,
        "created_by": "user:ana",
        "started_at": now if is_begun else None,
        "finished_at": now if is_over else None,
        "seconds": 1.5 if is_begun and is_over else None,
    }
    return LearningRun.objects.create(application=application, number=number, **{**values, **also})


def model_version(application: Application, number: int = 1, state: str = "candidate", **also: Any) -> ModelVersion:
    """Made by hand: an active one is not in the ledger, nor what its application serves; see `promotion`."""
    values = {
        "state": state,
        "digest": f"sha256:{number:064x}",
        "size": 1024,
        "release": application.release,
        "metrics": {"mae": 1.0 / number},
        "reason": "It passed the gate.",
        "created_at": timezone.now(),
    }
    return ModelVersion.objects.create(application=application, number=number, **{**values, **also})


def promotion(model: ModelVersion, kind: str = "promote", **also: Any) -> Promotion:
    """Afterwards it is live: active, in the ledger, and what its application serves; the one before is retired."""
    application = model.application
    last = application.promotions.order_by("-at").first()
    values = {
        "previous": last.model if last else None,
        "kind": kind,
        "actor": "gate",
        "reason": "It passed the gate.",
        "at": timezone.now(),
    }
    ModelVersion.objects.filter(application=application, state="active").update(state="retired")
    ModelVersion.objects.filter(pk=model.pk).update(state="active")
    Application.objects.filter(pk=application.pk).update(model=model)
    model.refresh_from_db()
    return Promotion.objects.create(application=application, model=model, **{**values, **also})


def delivered(application: Application, samples: int = 1, now: datetime | None = None) -> Batch:
    """As the intake stores one: numbered under the lock of its application; its bytes are nowhere."""
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=application.pk)
        last = (
            Batch.objects.filter(application=application).order_by("-number").values_list("number", flat=True).first()
        )
        number = (last or 0) + 1
        made = Batch.objects.create(
            application=application, number=number, digest=f"sha256:{number:064x}", size=10 * samples, samples=samples,
            kind="intake", media_type="application/jsonl", received=f"sha256:{number:064x}", caller="user:1",
            created_at=now or timezone.now(),
        )  # fmt: skip
        notify("batch", application=application.pk)
    return made


def learning_application(
    name: str = "flow", slug: str = "acme", *, fields: Sequence[Field] = SAMPLE, **learn: Any
) -> Application:
    """As `application`, and it learns from samples with these fields; none = any object."""
    made = application(name, slug, learn={"label": "label", "same_within": 86_400, **learn}, gate={"metric": "mae"})
    Release.objects.filter(pk=made.release_id).update(schema={**SCHEMA, "sample": sample_of(fields)})
    return Application.objects.select_related("organisation", "release").get(pk=made.pk)
