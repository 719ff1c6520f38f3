"""Baking: watch a version that was just promoted, and roll back when it does worse. Floor 2."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q

from ovd_saas.appcore import editions, learning_process, models
from ovd_saas.appcore.snapshots import Line
from ovd_saas.domain import baking as rules
from ovd_saas.domain import executions
from ovd_saas.domain.baking import Comparison, Counts, Decision, Rule, Watch
from ovd_saas.domain.gate import Assessment
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Batch, Execution, ModelVersion, Promotion, Runner, Transition

ACTOR = "bake"
MOST_LABELS = 2_000  # compared, the latest ones
LONGEST_EXECUTION = timedelta(days=1)  # what ran since a promotion was created at most so long before it


def watched() -> list[Promotion]:
    """The promotions whose versions are being watched."""
    rows = Promotion.objects.filter(pk__in=Application.objects.filter(baking__isnull=False).values("baking"))
    return list(rows.select_related("application__organisation", "application__release", "model", "previous"))


def is_watched(promotion: Promotion) -> bool:
    """Whether it still is."""
    return Application.objects.filter(pk=promotion.application_id, baking=promotion).exists()


def rule_of(promotion: Promotion) -> Rule | None:
    """What the current release says about baking; None when it says nothing any more."""
    release = promotion.application.release
    table = release.manifest.get("gate") if release else None
    return rules.rule_of(table) if table else None


def facts(promotion: Promotion, comparison: Comparison | None) -> Watch:
    """What the version did since it was promoted."""
    assert promotion.bakes_until is not None
    return Watch(
        version=_name(promotion.model),
        promoted_at=promotion.at,
        until=promotion.bakes_until,
        counts=_counts(promotion),
        labels=len(_batches(promotion)),
        comparison=comparison,
    )


def act(promotion: Promotion, decision: Decision, now: datetime) -> None:
    """Afterwards what was decided is done, once, whoever died when; nothing when the version is watched no more, or
    another one is about to take over."""
    if decision.what == rules.GOES_ON:
        return
    with transaction.atomic():
        application = editions.locked(promotion.application_id)
        if application.baking_id != promotion.pk or application.model_id != promotion.model_id:
            return
        if application.upcoming_model_id is not None:
            return
        if decision.what == rules.ROLLBACK:
            if not _was_refused(promotion):
                _roll_back(application, promotion, decision.sentence, now)
                return
            sentence = (
                f"{decision.sentence} But {_name(promotion.previous)} does not start; {_name(promotion.model)} stays."
            )
        else:
            sentence = decision.sentence
        _end(application, promotion, sentence, now)


def labels(promotion: Promotion) -> list[Line]:
    """What people said of its executions, as samples, oldest first; of each execution the latest label."""
    found = []
    for number, digest in _batches(promotion)[-MOST_LABELS:]:
        try:
            text = files.read(digest)
        except Missing:
            continue  # taken down a moment ago
        found += [Line(number, place, line) for place, line in enumerate(text.splitlines())]
    return found


def compare(
    *, engine: Engine, runner: Runner, promotion: Promotion, rule: Rule, look: Callable[[], None] = lambda: None
) -> Comparison:
    """The version against the one before it, both evaluated by the current release on the same labels; takes as long
    as that takes. Raises learning_process.Lost, Failed, Over."""
    arrived, lines = len(_batches(promotion)), labels(promotion)
    previous = promotion.previous
    assert previous is not None

    def assess(model: ModelVersion) -> Assessment:
        release = promotion.application.release
        assert release is not None
        return learning_process.assess(
            engine=engine, runner=runner, application=promotion.application, release=release, model=model,
            lines=lines, samples=len(lines), look=look,
        )  # fmt: skip

    found = rules.compare(
        rule, labels=len(lines), current=assess(promotion.model), previous=assess(previous),
        version=_name(promotion.model), before=_name(previous),
    )  # fmt: skip
    return replace(found, labels=arrived)


def _counts(promotion: Promotion) -> Counts:
    rows = Execution.objects.filter(
        application=promotion.application_id, created_at__gte=promotion.at - LONGEST_EXECUTION,
        finished_at__gte=promotion.at, model=promotion.model_id,
    )  # fmt: skip
    found = rows.aggregate(
        succeeded=Count("pk", filter=Q(status=executions.SUCCEEDED)),
        failed=Count("pk", filter=Q(status=executions.FAILED)),
    )
    return Counts(found["succeeded"], found["failed"])


def _batches(promotion: Promotion) -> list[tuple[int, str]]:
    """Numbers and digests of the batches that hold what was said of its executions since it was promoted."""
    judged = Execution.objects.filter(
        application=promotion.application_id, created_at__gte=promotion.at - LONGEST_EXECUTION,
        finished_at__gte=promotion.at, model=promotion.model_id, feedback__isnull=False,
    )  # fmt: skip
    numbers = [feedback["batch"] for feedback in judged.values_list("feedback", flat=True) if feedback]
    rows = Batch.objects.filter(
        application=promotion.application_id, number__in=numbers, kind="feedback", taken_down_at=None
    )
    return list(rows.order_by("number").values_list("number", "digest"))


def _roll_back(application: Application, promotion: Promotion, sentence: str, now: datetime) -> None:
    try:
        models.rollback(application=application, to=None, by=ACTOR, reason=sentence, now=now)
    except (models.NothingToRollBackTo, models.NotPromotable) as refusal:
        _end(application, promotion, f"{sentence} But that is not possible: {refusal}", now)


def _was_refused(promotion: Promotion) -> bool:
    """Whether the version before was to take over again already, and did not start, or a person wanted another."""
    if promotion.previous is None:
        return False
    rows = Transition.objects.filter(
        application=promotion.application_id, region="model", event="refuse", at__gte=promotion.at
    )
    return rows.filter(reason__startswith=f"Version {promotion.previous.number} does not take over").exists()


def _end(application: Application, promotion: Promotion, sentence: str, now: datetime) -> None:
    """The version is watched no more; the timeline says how it went."""
    Application.objects.filter(pk=application.pk).update(baking=None)
    number = str(promotion.model.number)
    transitions.record(
        application.pk, "model", number, number, "bake", reason=sentence, now=now, actor=ACTOR,
        cause=f"promotion:{promotion.pk}",
    )  # fmt: skip
    notify("model", application=application.pk)


def _name(model: ModelVersion | None) -> str:
    return f"version {model.number}" if model is not None else "no version"
