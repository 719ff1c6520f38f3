"""The gate: the rule a candidate must pass to become active. Floor 0: pure.

The platform, not the author, decides: both versions were evaluated on the same holdout, with the same code.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovd_saas.domain import bootstrap, figures
from ovd_saas.domain.bootstrap import Interval

MEGABYTE = 1_000_000  # bytes, as sizes are shown everywhere
MOST_SCORES = 400  # pairs that are kept for people to look at
SMALLER = "min"  # a smaller metric is better


@dataclass(frozen=True)
class Rule:
    """The table [gate] of a manifest, as far as it decides."""

    metric: str  # as `evaluate` names it
    direction: str = SMALLER  # min | max
    minimum_improvement: float = 0.0  # in the unit of the metric; below 0 allows a little worse
    confidence: float = 0.95  # of the interval, 0..1
    max_size_mb: float = 0.0  # 0 = no limit
    max_seconds: float = 0.0  # of one execution; 0 = no limit


@dataclass(frozen=True)
class Assessment:
    """What evaluating one version on the holdout gave."""

    metrics: Mapping[str, float]
    scores: Sequence[float] | None = None  # one a sample of the holdout, in its order; None: `evaluate` gave none
    execution_seconds: float | None = None  # median over the release's samples; None: it has none
    failed_samples: tuple[str, ...] = ()  # names of the release's samples that could not be executed
    samples: int | None = None  # in the holdout; None: not known


@dataclass(frozen=True)
class Verdict:
    passed: bool
    sentence: str  # for people
    document: dict[str, Any]  # all that it rests on, as JSON


def rule_of(manifest_gate: Mapping[str, Any] | None) -> Rule:
    """The rule in the table [gate] of a release's manifest. Raises ValueError when it names no metric."""
    table = manifest_gate or {}
    if not table.get("metric"):
        raise ValueError("The manifest has no gate: its table [gate] names no metric.")
    return Rule(**{name: table[name] for name in Rule.__dataclass_fields__ if name in table})


def judge(rule: Rule, *, candidate: Assessment, active: Assessment | None, size: int, active_name: str) -> Verdict:
    """Whether the candidate, whose model has `size` bytes, may become active, and why.

    `active` is the live version's assessment on the same holdout, None when there is none; `active_name` is how people
    call it ("version 3"). The improvement is how much better the candidate is, in the unit of the metric. When both
    have a score for each sample, the lower end of a paired bootstrap interval of the mean improvement has to reach
    `minimum_improvement`, and so has the metric itself; else the metric alone.
    """
    measured = _Measured(rule, candidate, active, active_name)
    limits = _limits(rule, candidate, size)
    faults = [*measured.faults, *_limit_faults(limits, candidate), *_sample_faults(candidate, active)]
    said = [*measured.said, *faults] if faults else [*measured.said, *measured.remarks]
    sentence = f"{'Rejected' if faults else 'Passed'}: {'; '.join(said)}."
    document = {
        "passed": not faults,
        "sentence": sentence,
        **measured.document(),
        "limits": limits,
        "failed_samples": list(candidate.failed_samples),
        "compared_with": active_name if active is not None else None,
    }
    return Verdict(not faults, sentence, document)


def compared(candidate: Assessment, active: Assessment | None) -> dict[str, Any]:
    """What people compare beside the verdict: `metrics`, each name with the value of both (None: it has none), and
    `scores`, pairs of candidate and active for the same sample, evenly chosen where there are many; none without."""
    theirs = active.metrics if active is not None else {}
    names = [*candidate.metrics, *(name for name in theirs if name not in candidate.metrics)]
    found: dict[str, Any] = {"metrics": {name: [_told(candidate.metrics, name), _told(theirs, name)] for name in names}}
    if active is None or candidate.scores is None or active.scores is None:
        return found
    pairs = [
        (ours, other)
        for ours, other in zip(candidate.scores, active.scores, strict=False)
        if math.isfinite(ours) and math.isfinite(other)
    ]
    if len(candidate.scores) != len(active.scores) or not pairs:
        return found
    better = sum(ours > other for ours, other in pairs)
    equal = sum(ours == other for ours, other in pairs)
    step = max(1.0, len(pairs) / MOST_SCORES)
    chosen = [pairs[int(index * step)] for index in range(min(len(pairs), MOST_SCORES))]
    return found | {
        "scores": [[float(f"{one:.6g}") for one in pair] for pair in chosen],
        "higher": better,
        "equal": equal,
        "lower": len(pairs) - better - equal,
    }


def _told(metrics: Mapping[str, float], name: str) -> float | None:
    value = metrics.get(name)
    return float(value) if value is not None and math.isfinite(value) else None


class _Measured:
    """The metric of both, compared: what is said of it, and what speaks against the candidate."""

    def __init__(self, rule: Rule, candidate: Assessment, active: Assessment | None, active_name: str) -> None:
        self._rule = rule
        self._active_name = active_name
        self.said: list[str] = []
        self.faults: list[str] = []
        self.remarks: list[str] = []
        self.candidate = self._metric(candidate, "the candidate")
        self.active = self._metric(active, active_name) if active is not None else None
        self.improvement: float | None = None
        self.interval: Interval | None = None
        self.samples = candidate.samples
        if candidate.scores is not None:
            self.samples = len(candidate.scores)
        if 0 in (candidate.samples, self.samples):
            self.faults = ["the holdout has no samples, so nothing was measured; more data has to arrive"]
        elif self.candidate is not None and active is None:
            self.said.append(f"{rule.metric} is {figures.short(self.candidate)}")
            self.remarks.append("there is no active version to compare it with")
        elif self.candidate is not None and active is not None and self.active is not None:
            self._compare(self.candidate, self.active, candidate, active)

    def document(self) -> dict[str, Any]:
        interval = [self.interval.low, self.interval.high] if self.interval else None
        return {
            "metric": self._rule.metric,
            "direction": self._rule.direction,
            "candidate": self.candidate,
            "active": self.active,
            "improvement": self.improvement,
            "minimum": self._rule.minimum_improvement,
            "interval": interval,
            "confidence": self._rule.confidence,
            "samples": self.samples,
        }

    def _metric(self, assessment: Assessment, name: str) -> float | None:
        value = assessment.metrics.get(self._rule.metric)
        if value is None:
            there = ", ".join(sorted(assessment.metrics)) or "none"
            self.faults.append(f'evaluate gave no metric "{self._rule.metric}" for {name} (metrics: {there})')
        elif not math.isfinite(value):
            self.faults.append(f"{self._rule.metric} of {name} is {value}, which is no finite number")
        else:
            return float(value)
        return None

    def _compare(self, ours: float, theirs: float, candidate: Assessment, active: Assessment) -> None:
        metric, sign = self._rule.metric, -1 if self._rule.direction == SMALLER else 1
        scale = max(abs(ours), abs(theirs))
        self.improvement = figures.without_noise(sign * (ours - theirs), scale)
        self.said.append(f"{metric} is {figures.compared(ours, theirs, self._active_name)}")
        bad = [name for name, it in (("the candidate", candidate), (self._active_name, active)) if not _finite(it)]
        if bad:
            self.faults.append(f"a score of {bad[0]} is no finite number")
            return
        self.interval = self._bootstrapped(sign, candidate, active)
        if self.interval is not None:
            self.said.append(self._worded(self.interval, ours))
        self._weigh(self.improvement)

    def _bootstrapped(self, sign: int, candidate: Assessment, active: Assessment) -> Interval | None:
        """The interval of the improvement; None with a remark when the scores tell none."""
        ours, theirs = candidate.scores, active.scores
        if ours is None or theirs is None:
            self.said.append("there is no interval, as evaluate gave no scores")
        elif len(ours) != len(theirs):
            self.said.append(f"there is no interval, as there are {len(ours)} scores against {len(theirs)}")
        elif len(ours) < 2:
            self.said.append("there is no interval, as one sample tells no spread")
        else:
            pair = (ours, theirs) if sign > 0 else (theirs, ours)
            found = bootstrap.paired(*pair, confidence=self._rule.confidence)
            assert found is not None
            scale = max(abs(score) for scores in pair for score in (max(scores), min(scores)))
            low, high, mean = (figures.without_noise(end, scale) for end in (found.low, found.high, found.mean))
            return Interval(low, high, mean, found.confidence, found.samples)
        return None

    def _worded(self, interval: Interval, ours: float) -> str:
        low, high = figures.between(interval.low, interval.high)
        what = "the improvement"
        assert self.improvement is not None
        if not math.isclose(interval.mean, self.improvement, rel_tol=1e-6, abs_tol=1e-9 * abs(ours)):
            what = "the improvement of the mean score"
        return f"with {self._rule.confidence * 100:.3g} % confidence {what} is between {low} and {high}"

    def _weigh(self, improvement: float) -> None:
        minimum = self._rule.minimum_improvement
        asked = figures.short(minimum)
        if self.interval is not None and self.interval.low < minimum:
            self.faults.append(f"its lower end must be at least {asked}")
        elif improvement < minimum:
            worse = "higher" if self._rule.direction == SMALLER else "lower"
            self.faults.append(f"it must improve by at least {asked}" if minimum else f"it must not be {worse}")
        elif minimum:
            self.remarks.append(f"at least {asked} is asked for")


def _finite(assessment: Assessment) -> bool:
    return assessment.scores is None or all(math.isfinite(score) for score in assessment.scores)


def _limits(rule: Rule, candidate: Assessment, size: int) -> dict[str, dict[str, float | None]]:
    return {
        "size_mb": {"value": size / MEGABYTE, "limit": rule.max_size_mb or None},
        "seconds": {"value": candidate.execution_seconds, "limit": rule.max_seconds or None},
    }


def _limit_faults(limits: Mapping[str, Mapping[str, float | None]], candidate: Assessment) -> list[str]:
    faults = []
    size, most = limits["size_mb"]["value"], limits["size_mb"]["limit"]
    if size is not None and most is not None and size > most:
        faults.append("the model has {} MB, over the limit of {} MB".format(*figures.between(size, most)))
    seconds, longest = limits["seconds"]["value"], limits["seconds"]["limit"]
    if longest is None:
        return faults
    if seconds is None:
        why = "none of its samples ran" if candidate.failed_samples else "the release has no samples to time"
        faults.append(f"the limit of {figures.short(longest)} s for an execution could not be checked, as {why}")
    elif not seconds <= longest:
        faults.append("an execution takes {} s, over the limit of {} s".format(*figures.between(seconds, longest)))
    return faults


def _sample_faults(candidate: Assessment, active: Assessment | None) -> list[str]:
    """What the active version cannot execute either speaks against the sample, not against the candidate."""
    known = set(active.failed_samples) if active is not None else set()
    failed = [name for name in candidate.failed_samples if name not in known]
    if not failed:
        return []
    names = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
    return [f"it fails on {'the sample' if len(failed) == 1 else 'the samples'} {names}"]
