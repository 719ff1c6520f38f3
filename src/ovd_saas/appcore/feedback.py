"""Feedback: a label that somebody gives to a finished execution becomes a sample. Floor 2: may use store, files."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ovd.schema import FieldError
from ovd_saas.appcore import batches, intake
from ovd_saas.appcore.batches import Sender
from ovd_saas.appcore.digests import NotCanonical, canonical, unstorable
from ovd_saas.appcore.intake_check import written
from ovd_saas.appcore.intake_executions import digests_in, sample_of
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.domain import executions as states
from ovd_saas.files import store
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Batch, Execution

LARGEST = 1 << 20  # bytes of a label as JSON


class NotJudgeable(Refusal):
    """Only what succeeded, and was not taken down, can be judged."""

    code = "not_judgeable"


class NoSample(Refusal):
    """The label, with the inputs and outputs of the execution, makes no sample of this application."""

    code = "invalid"
    http = 422


def give(*, execution_id: UUID, label: Any, by: str, sender: Sender, now: datetime) -> tuple[Batch, bool]:
    """Afterwards the label is on record, and a batch holds the sample that the execution's inputs and outputs make with
    it; `(batch, created)`. The same label by the same person again changes nothing. Another label replaces the earlier
    one: its sample is taken down if no learning run has taken it yet.

    `label` fills the field `[learn] label`; an object fills the fields that its members name. Raises NotFound,
    NotJudgeable, NotLearning, NoSample.
    """
    with transaction.atomic():
        execution = _judgeable(execution_id)
        application = Application.objects.select_related("organisation", "release").get(pk=execution.application_id)
        rules = intake.rules_of(application)
        earlier = execution.feedback
        if earlier and earlier["by"] == by and _same(earlier["label"], label):
            batch = Batch.objects.filter(application=application, number=earlier["batch"], taken_down_at=None).first()
            if batch is not None:
                return batch, False
        sample = _sample(execution, rules, label)
        content = written(sample)
        digest = store.put(content)
        delivered = intake.Delivered(
            digest=digest,
            size=len(content),
            samples=1,
            received=digest,
            media_type=intake.JSON,
            files=sorted(digests_in(sample, execution)),
            origin={"execution": str(execution.pk)},
        )
        _replace(execution, by=by, now=now)
        batch, _ = batches.receive(
            application_id=application.pk, delivered=delivered, kind=batches.FEEDBACK, sender=sender, now=now
        )
        said = {"label": label, "batch": batch.number, "by": by, "at": now.isoformat()}
        Execution.objects.filter(pk=execution.pk).update(feedback=said)
        notify("execution", id=execution.pk, application=application.pk, status=execution.status)
    return batch, True


def _judgeable(execution_id: UUID) -> Execution:
    execution = Execution.objects.select_for_update(no_key=True).filter(pk=execution_id).first()
    if execution is None:
        raise NotFound(f"There is no execution {execution_id}.")
    if execution.taken_down_at is not None:
        raise NotJudgeable(f"Execution {execution_id} was taken down: there is nothing left to learn from.")
    if execution.status != states.SUCCEEDED:
        raise NotJudgeable(f"Execution {execution_id} is {execution.status}. Only one that succeeded can be judged.")
    return execution


def _sample(execution: Execution, rules: intake.Rules, label: Any) -> dict[str, Any]:
    """Raises NoSample."""
    if why := unstorable(label):
        raise NoSample(f"The label {why}", errors=[FieldError("label", why)])
    if len(canonical(label)) > LARGEST:
        raise NoSample(f"The label has more than {LARGEST >> 20} MiB. Send large data to the intake.")
    properties = rules.sample["properties"]
    is_one_value = properties.get(rules.label, {}).get("x-ovd", {}).get("kind") in ("series", "table")
    if isinstance(label, dict) and not is_one_value:
        members = label
    elif properties and rules.label not in properties:
        raise NoSample(
            f'{rules.address} has no field "{rules.label}" in its samples, which a label would fill. '
            'Send an object that names the fields: {"label": {"field": …}}.'
        )
    else:
        members = {rules.label: label}
    sample, errors = sample_of(execution, rules, members)
    if errors:
        told = " ".join(f'"{error.field}" {error.message}' if error.field else error.message for error in errors[:3])
        raise NoSample(
            f"With this label, execution {execution.pk} makes no sample of {rules.address}: {told}", errors=errors
        )
    return sample


def _replace(execution: Execution, *, by: str, now: datetime) -> None:
    """What was said of it before, and nobody learned, is no longer so."""
    if execution.feedback is None:
        return
    rows = Batch.objects.filter(
        application=execution.application_id, kind=batches.FEEDBACK, origin__execution=str(execution.pk),
        taken_down_at=None, step=None,
    )  # fmt: skip
    for batch in rows:
        batches.take_down(batch=batch, by=by, now=now)


def _same(one: Any, other: Any) -> bool:
    try:
        return canonical(one) == canonical(other)
    except NotCanonical:
        return False
