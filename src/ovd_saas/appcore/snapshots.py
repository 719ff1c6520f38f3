"""Snapshots: freeze what a learning run learns from, and read it. Floor 2: may use store, files, engines, domain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models import F

from ovd.values import parse_moment
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import learning_runs
from ovd_saas.domain import snapshots as rules
from ovd_saas.domain.snapshots import Delivery, Frozen, Rule
from ovd_saas.files import store as files
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Batch, LearningRun, ModelVersion, Snapshot


class NothingToLearn(Refusal):
    """There is no sample that the parent has not learned, or none at all."""

    code = "nothing_to_learn"


class Ended(Exception):
    """The run that asked was cancelled meanwhile, or is attended by somebody else."""


@dataclass(frozen=True)
class Line:
    """One sample as it was stored."""

    batch: int  # number
    line: int  # from 0
    text: bytes  # without the line's end


def freeze(*, run: LearningRun, parent: ModelVersion | None, learn: dict[str, Any], now: datetime) -> Snapshot:
    """Afterwards the run has a snapshot of all batches there are, and those that nobody took before are its step.

    `learn` is the table [learn] of the manifest, `parent` the live version. Raises NothingToLearn, Ended.
    """
    while True:
        rule = _rule(learn, parent)
        frozen = _frozen(_deliveries(run.application_id, rule), rule)
        if not frozen.train:
            raise NothingToLearn(_why_nothing(frozen, parent))
        snapshot = _keep(run, frozen, now)
        if snapshot is not None:
            return snapshot


def _rule(learn: dict[str, Any], parent: ModelVersion | None) -> Rule:
    rule = rules.rule_of(learn)
    known = parent.snapshot if parent is not None else None
    after = rules.begin_after(
        rule, parent=rules.rule_from(known.rule) if known else None, parent_last=known.last if known else 0
    )
    return replace(rule, after=after)


def _deliveries(application_id: int, rule: Rule) -> list[Delivery]:
    """All batches. Samples that were put into a further batch, because another one of theirs was taken down, are not
    new: the step that learned them stands on it."""
    rows = Batch.objects.filter(application=application_id, taken_down_at=None).order_by("number")
    if rule.data == rules.NEW:
        rows = rows.exclude(step__status=learning_runs.PROMOTED, step__snapshot__last__lt=F("number"))
    return [Delivery(*row) for row in rows.values_list("number", "digest", "samples")]


def _frozen(deliveries: list[Delivery], rule: Rule) -> Frozen:
    """What the rule alone cannot say is counted: by a field for time, or sample by sample."""
    frozen = rules.freeze(deliveries, rule)
    if frozen.train is not None:
        return frozen
    if rule.time:
        moments = sorted(_moment(line, rule) or "" for line in _lines(deliveries))
        held = rules.held_out(len(moments), rule.fraction)
        rule = replace(rule, since=moments[-held] if held else None)
    train = held = 0
    for line in _lines(deliveries):
        moment = _moment(line, rule)
        train += rules.is_train(rule, line.batch, line.line, line.text, moment)
        held += rules.is_held(rule, line.batch, line.line, line.text, moment)
    return replace(frozen, rule=rule, train=train, held=held)


def _why_nothing(frozen: Frozen, parent: ModelVersion | None) -> str:
    if not frozen.samples:
        return "There are no samples to learn from. Feed some first."
    if parent is not None:
        return f"There is nothing new to learn since version {parent.number}. Feed more samples first."
    return "There are too few samples to learn from. Feed more first."


@transaction.atomic
def _keep(run: LearningRun, frozen: Frozen, now: datetime) -> Snapshot | None:
    """None when a batch was taken down meanwhile. Raises Ended."""
    assert frozen.train is not None and frozen.held is not None
    Application.objects.select_for_update().get(pk=run.application_id)
    if not LearningRun.objects.filter(pk=run.pk, lease=run.lease, status=learning_runs.RUNNING).exists():
        raise Ended(f"Learning run {run.number} is somebody else's, or has ended.")
    numbers = [one.number for one in frozen.deliveries]
    here = Batch.objects.filter(application=run.application_id, taken_down_at=None)
    if here.filter(number__in=numbers).count() != len(numbers):
        return None
    snapshot, _ = Snapshot.objects.get_or_create(
        application_id=run.application_id,
        digest=rules.digest(frozen.deliveries, frozen.rule),
        defaults={
            "last": numbers[-1],
            "batches": rules.document(frozen.deliveries, frozen.rule)["batches"],
            "rule": rules.rule_document(frozen.rule),
            "samples": frozen.samples,
            "train": frozen.train,
            "holdout": frozen.held,
            "created_at": now,
        },
    )
    LearningRun.objects.filter(pk=run.pk).update(snapshot=snapshot)
    if here.filter(step=None, number__in=numbers).update(step=run):
        notify("batch", application=run.application_id)
    return snapshot


def give_back(run_id: Any) -> None:
    """Afterwards the batches that this run was the first to take are pending again: it learned nothing from them."""
    for application_id in list(LearningRun.objects.filter(pk=run_id).values_list("application_id", flat=True)):
        if Batch.objects.filter(step=run_id).update(step=None):
            notify("batch", application=application_id)


def train_lines(snapshot: Snapshot) -> Iterator[Line]:
    """The samples to learn from, in order, without those that were taken down meanwhile."""
    rule = rules.rule_from(snapshot.rule)
    for line in _of(snapshot):
        if rules.is_train(rule, line.batch, line.line, line.text, _moment(line, rule)):
            yield line


def holdout_lines(snapshot: Snapshot) -> Iterator[Line]:
    """The samples to judge with, in order, without those that were taken down meanwhile."""
    rule = rules.rule_from(snapshot.rule)
    for line in _of(snapshot):
        if rules.is_held(rule, line.batch, line.line, line.text, _moment(line, rule)):
            yield line


def files_of(application_id: int) -> set[str]:
    """The digests of all files that samples of the application name; what else looks like one is not."""
    rows = Batch.objects.filter(application=application_id, taken_down_at=None).exclude(files=[])
    return {digest for files_ in rows.values_list("files", flat=True) for digest in files_}


def _of(snapshot: Snapshot) -> Iterator[Line]:
    gone = Batch.objects.filter(application_id=snapshot.application_id, taken_down_at__isnull=False)
    taken_down = set(gone.values_list("number", flat=True))
    return _lines(Delivery(*one) for one in snapshot.batches if one[0] not in taken_down)


def _lines(deliveries: Iterable[Delivery]) -> Iterator[Line]:
    for delivery in deliveries:
        with files.open(delivery.digest) as file:
            for number, text in enumerate(file):
                yield Line(delivery.number, number, text.rstrip(b"\n"))


def _moment(line: Line, rule: Rule) -> str | None:
    """The moment of a sample in UTC, as a text that sorts; None when it tells none, as it may have arrived when the
    application declared something else."""
    if not rule.time:
        return None
    value = orjson.loads(line.text).get(rule.time)
    if not isinstance(value, str):
        return None
    try:
        return parse_moment(value).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None
