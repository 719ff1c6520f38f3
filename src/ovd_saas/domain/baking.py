"""Baking: whether a version that was just promoted stays live, by what it does since. Floor 0: pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ovd_saas.domain import bootstrap, figures, gate
from ovd_saas.domain.bootstrap import Interval
from ovd_saas.domain.gate import Assessment

GOES_ON = "goes_on"  # watched further
ENDED_WELL = "ended_well"  # the time is over without trouble
ROLLBACK = "rollback"  # the version before it becomes live again

GROWTH = 1.5  # so many times the labels, and they are compared again
MARGIN = 0.1  # of the metric: how much worse counts, where there are no scores to tell it from chance


@dataclass(frozen=True)
class Rule:
    """What of the table [gate] is about the time after a promotion."""

    gate: gate.Rule
    error_rate: float = 0.2  # share of failed executions above which it is rolled back
    executions: int = 5  # fewer tell nothing
    feedback: int = 20  # labels needed to compare it with the version before


@dataclass(frozen=True)
class Counts:
    """Executions of the version since it was promoted; those rejected or cancelled say nothing about it."""

    succeeded: int
    failed: int

    @property
    def all(self) -> int:
        return self.succeeded + self.failed


@dataclass(frozen=True)
class Comparison:
    """The version against the one before it, on what people said of its executions."""

    labels: int  # compared so many
    is_worse: bool  # with confidence
    sentence: str  # without a full stop


@dataclass(frozen=True)
class Watch:
    """What is known when it is decided."""

    version: str  # as people call it: "version 4"
    promoted_at: datetime
    until: datetime
    counts: Counts
    labels: int = 0  # that arrived since the promotion
    comparison: Comparison | None = None  # the latest one


@dataclass(frozen=True)
class Decision:
    what: str  # GOES_ON, ENDED_WELL or ROLLBACK
    sentence: str = ""  # for people, unless it goes on


def rule_of(manifest_gate: Mapping[str, Any]) -> Rule:
    """The rule in the table [gate] of a release's manifest. Raises ValueError when it names no metric."""
    names = {"error_rate": "bake_error_rate", "executions": "bake_executions", "feedback": "bake_feedback"}
    known = {ours: manifest_gate[theirs] for ours, theirs in names.items() if theirs in manifest_gate}
    return Rule(gate.rule_of(manifest_gate), **known)


def decide(rule: Rule, watch: Watch, *, now: datetime) -> Decision:
    """Whether the version is rolled back, has stood its time, or is watched further."""
    counts, version = watch.counts, watch.version
    if counts.all >= rule.executions and counts.failed > rule.error_rate * counts.all:
        limit = f"{figures.short(100 * rule.error_rate)} %"
        return Decision(
            ROLLBACK,
            f"Rolled back: {counts.failed:,} of {counts.all:,} executions of {version} failed since it was promoted, "
            f"over the limit of {limit}.",
        )
    if watch.comparison is not None and watch.comparison.is_worse:
        return Decision(ROLLBACK, f"Rolled back: {watch.comparison.sentence}.")
    if now < watch.until or is_comparison_due(rule, watch, now=now):
        return Decision(GOES_ON)
    return Decision(ENDED_WELL, _ended_well(watch))


def is_comparison_due(rule: Rule, watch: Watch, *, now: datetime) -> bool:
    """Whether the labels are to be compared now: when there are enough, then when there are half as many more, and a
    last time when the watch ends."""
    if watch.labels < rule.feedback:
        return False
    if watch.comparison is None:
        return True
    if now >= watch.until:
        return watch.labels > watch.comparison.labels
    return watch.labels >= math.ceil(watch.comparison.labels * GROWTH)


def compare(
    rule: Rule, *, labels: int, current: Assessment, previous: Assessment, version: str, before: str
) -> Comparison:
    """Whether `before` is better than `version` on the same labels: the gate turned round.

    With scores, the whole paired bootstrap interval of the improvement that going back would bring must be above 0. As
    it is looked at again and again, each look has half of the doubt that the one before had left: together they are
    wrong no more often than the manifest's confidence says. Without scores the metric has to be worse by a tenth.
    """
    metric, is_smaller_better = rule.gate.metric, rule.gate.direction == gate.SMALLER
    ours, theirs = current.metrics.get(metric), previous.metrics.get(metric)
    if ours is None or theirs is None or not (math.isfinite(ours) and math.isfinite(theirs)):
        return Comparison(labels, False, f"{metric} could not be compared on {labels:,} labels")
    said = f"on {labels:,} labels {metric} of {version} is {figures.compared(ours, theirs, before)}"
    confidence = _confidence(rule, labels)
    interval = _interval(current, previous, is_smaller_better, confidence)
    if interval is None:
        worse_by = (ours - theirs) * (1 if is_smaller_better else -1)
        return Comparison(labels, worse_by > MARGIN * max(abs(ours), abs(theirs)), said)
    low, high = figures.between(interval.low, interval.high)
    gain = f"with {figures.short(100 * confidence, 4)} % confidence going back improves it by {low} to {high}"
    is_worse = interval.low > 0
    return Comparison(labels, is_worse, f"{said}; {gain}" if is_worse else said)


def _interval(current: Assessment, previous: Assessment, is_smaller_better: bool, confidence: float) -> Interval | None:
    """Of the improvement that the previous version brings; None when the scores tell none."""
    ours, theirs = current.scores, previous.scores
    if ours is None or theirs is None or len(ours) != len(theirs):
        return None
    if not all(math.isfinite(score) for scores in (ours, theirs) for score in scores):
        return None
    pair = (ours, theirs) if is_smaller_better else (theirs, ours)
    return bootstrap.paired(*pair, confidence=confidence)


def _confidence(rule: Rule, labels: int) -> float:
    """Of the look at so many labels: the first one has half of the doubt, the next one a quarter …"""
    looks = 1 + math.floor(math.log(max(1.0, labels / rule.feedback), GROWTH) + 1e-9)
    return float(1 - (1 - rule.gate.confidence) / 2 ** min(looks, 10))


def _ended_well(watch: Watch) -> str:
    counts = watch.counts
    done = f"{counts.failed:,} of {counts.all:,} executions failed" if counts.all else "nobody used it"
    compared = f"; {watch.comparison.sentence}" if watch.comparison is not None else ""
    return f"{watch.version.capitalize()} was watched for {_long(watch.until - watch.promoted_at)}: {done}{compared}."


def _long(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{figures.short(seconds / size)} {unit}"
    return f"{figures.short(seconds)} s"
