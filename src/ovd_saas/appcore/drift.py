"""Drift: measure how far what arrives is from what the active version learned from. Floor 2."""

import base64
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from ovd_saas.appcore import profiles as references
from ovd_saas.appcore.profiles import Delivered
from ovd_saas.domain import drift as rules
from ovd_saas.domain import profiles, status
from ovd_saas.domain.drift import Rule
from ovd_saas.domain.profiles import Profile
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Batch, DriftMeasure, DriftReference, ModelVersion

PAUSE_SECONDS = 2.0  # between two looks, however much arrives
WAIT_SECONDS = 30.0  # after which few new samples are looked at, too
SHARE = 100  # a hundredth of the window is worth a look at once
AT_ONCE = 2_000  # samples in memory
KEPT = 1000  # measures of an application


@dataclass
class _Window:
    """The latest samples as cells of a reference, one byte a sample and field; slides as batches arrive."""

    length: int  # at most so many samples
    batches: list[tuple[int, int]] = field(default_factory=list)  # numbers, and how many samples of each are in it
    codes: dict[str, bytes] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return sum(samples for _, samples in self.batches)

    def take(self, number: int, codes: dict[str, bytes], samples: int) -> None:
        """Add samples of a batch; what is then too old goes."""
        if self.batches and self.batches[-1][0] == number:
            samples += self.batches.pop()[1]
        self.batches.append((number, samples))
        self.codes = {name: (self.codes.get(name, b"") + added)[-self.length :] for name, added in codes.items()}
        while self.samples > self.length:
            number, there = self.batches[0]
            surplus = self.samples - self.length
            self.batches[:1] = [(number, there - surplus)] if there > surplus else []

    def to_json(self, basis: str) -> dict[str, Any]:
        codes = {name: base64.b64encode(column).decode() for name, column in self.codes.items()}
        return {"basis": basis, "length": self.length, "batches": self.batches, "codes": codes}


@dataclass(frozen=True)
class Waiting:
    """Ids of applications with something new."""

    due: list[int]  # to be looked at now
    later: list[int]  # in a moment: there is little yet, or they were looked at just now


def waiting(now: datetime, among: Collection[int] | None = None) -> Waiting:
    """The applications with something new to look at: other samples, or another version that is active. Of all, or of
    these."""
    due: list[int] = []
    later: list[int] = []
    for application in _watched(among):
        rule = rules.rule_of(application.release.manifest["drift"]) if application.release else None
        if rule is not None:
            (due if _is_due(application, rule, now) else later).append(application.pk)
    return Waiting(due, later)


def measure(application_id: int, now: datetime) -> DriftMeasure | None:
    """Afterwards the latest samples were compared with those that the active version learned from, and the row says
    how far they are apart. None when drift is not watched, or there is no version with a snapshot to compare with."""
    application = Application.objects.select_related("release", "model__snapshot").get(pk=application_id)
    release, model = application.release, application.model
    rule = rules.rule_of(release.manifest.get("drift")) if release else None
    if release is None or rule is None or model is None or model.snapshot is None:
        return None
    reference = references.of(model=model, release=release, rule=rule, now=now)
    profile = profiles.from_json(reference.profile)
    latest = DriftMeasure.objects.filter(application=application).order_by("-id").first()
    window, through = _resumed(latest, reference, rule) or (_Window(rule.window), model.snapshot.last)
    through = _slide(window, profile, application, through)
    reading = rules.read(rule, profile, window.codes, window.samples, learner=f"version {model.number}")
    return _keep(application, model, latest, reading, through, window.to_json(reference.basis), now)


def _watched(among: Collection[int] | None) -> QuerySet[Application]:
    """Enabled applications with a version, a table [drift] and something new, each with what its last look saw."""
    latest = DriftMeasure.objects.filter(application=OuterRef("pk")).order_by("-id")
    rows = Application.objects.filter(
        status=status.ENABLED, model__snapshot__isnull=False, release__manifest__has_key="drift"
    )
    if among is not None:
        rows = rows.filter(pk__in=among)
    newest = Batch.objects.filter(application=OuterRef("pk")).order_by("-number")
    gone = Batch.objects.filter(application=OuterRef("pk"), taken_down_at__gt=OuterRef("looked_at"))
    return (
        rows.exclude(release__manifest__drift=None)
        .select_related("release")
        .annotate(
            seen_model=Subquery(latest.values("model")[:1]),
            seen_through=Subquery(latest.values("through")[:1]),
            looked_at=Subquery(latest.values("at")[:1]),
            newest_batch=Subquery(newest.values("number")[:1]),
            is_less=Exists(gone),
        )
        .filter(
            Q(seen_model=None) | ~Q(seen_model=F("model")) | Q(newest_batch__gt=F("seen_through")) | Q(is_less=True)
        )
    )


def _is_due(application: Any, rule: Rule, now: datetime) -> bool:
    if application.seen_model != application.model_id or application.is_less:
        return True
    waited = now - application.looked_at
    if waited >= timedelta(seconds=WAIT_SECONDS):
        return True
    fresh = Batch.objects.filter(
        application=application, number__gt=application.seen_through, taken_down_at=None
    ).values_list("samples", flat=True)
    return waited >= timedelta(seconds=PAUSE_SECONDS) and sum(fresh) * SHARE >= rule.window


def _resumed(latest: DriftMeasure | None, reference: DriftReference, rule: Rule) -> tuple[_Window, int] | None:
    """The window of the last look, and the newest batch it saw; None when it cannot be gone on from: it was compared
    with something else, was of another length, or holds samples that were taken down."""
    if latest is None or latest.model_id != reference.model_id or latest.window.get("basis") != reference.basis:
        return None
    if latest.window["length"] != rule.window:
        return None
    window = _Window(rule.window, [(number, samples) for number, samples in latest.window["batches"]])
    numbers = [number for number, _ in window.batches]
    rows = Batch.objects.filter(application=latest.application_id, number__in=numbers)
    if rows.filter(taken_down_at__isnull=False).exists():
        return None
    window.codes = {name: base64.b64decode(column) for name, column in latest.window["codes"].items()}
    return window, latest.through


def _slide(window: _Window, profile: Profile, application: Application, through: int) -> int:
    """Let the window slide to the newest sample; the number of the newest batch then."""
    rows = Batch.objects.filter(application=application, number__gt=through).order_by("-number")
    newest = rows.values_list("number", flat=True).first()
    here = rows.filter(taken_down_at=None, samples__gt=0)
    for delivered, skip in reversed(list(_latest(here.values_list("number", "digest", "samples"), window.length))):
        samples = references.read(delivered, skip=skip)
        while some := list(islice(samples, AT_ONCE)):
            window.take(delivered[0], profiles.encode(profile, some), len(some))
    return newest if newest is not None else through


def _latest(newest_first: QuerySet[Batch, Delivered], length: int) -> Iterator[tuple[Delivered, int]]:
    """The batches that the last so many samples are in, newest first, and how many samples of each to pass over."""
    for delivered in newest_first.iterator(chunk_size=500):
        yield delivered, max(0, delivered[2] - length)
        length -= delivered[2]
        if length <= 0:
            return


@transaction.atomic
def _keep(
    application: Application,
    model: ModelVersion,
    latest: DriftMeasure | None,
    reading: rules.Reading,
    through: int,
    window: dict[str, Any],
    now: datetime,
) -> DriftMeasure:
    if latest is not None:
        DriftMeasure.objects.filter(pk=latest.pk).update(window={})
    made = DriftMeasure.objects.create(
        application=application, model=model, through=through, samples=reading.samples, fields=reading.fields,
        window=window, is_drifting=reading.is_drifting, reason=reading.sentence, at=now,
    )  # fmt: skip
    _prune(application)
    notify("drift", application=application.pk)
    return made


def _prune(application: Application) -> None:
    """The oldest measures go."""
    rows = DriftMeasure.objects.filter(application=application)
    last = rows.order_by("-id").values_list("id", flat=True)[KEPT : KEPT + 1].first()
    if last is not None:
        rows.filter(id__lte=last).delete()
