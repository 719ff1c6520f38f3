"""Online: a linear model that learns from one sample after the other and keeps none of them.

Recursive least squares with forgetting (Haykin, "Adaptive Filter Theory", chapter 10). Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FIELDS = ("last_hour", "two_hours_ago", "a_day_ago", "a_day_and_an_hour_ago")  # l/s; what a sample is known by
SIZE = 4  # features
FORGETTING = 0.995  # weight of a sample against the next one: six days of hours ago counts half
LARGEST = (
    2.0  # l/s; beyond, a change is a fall or a peak and no habit: nothing is added to persistence, nothing learned
)
FIRST = 10.0  # how little the beginning is trusted; with 0, nothing would ever be learned


def features(sample: Mapping[str, float]) -> list[float]:
    """Constant, change in the last hour, change at the same hour yesterday, distance to yesterday; in l/s."""
    last, before, day, day_before = (float(sample[name]) for name in FIELDS)
    return [1.0, last - before, day - day_before, day - last]


def is_ordinary(changes: list[float]) -> bool:
    """Whether none of them is a fall or a peak."""
    return all(abs(change) <= LARGEST for change in changes)


@dataclass
class Online:
    """The model. Without any sample it is *persistence*: the next hour is like the last one."""

    weights: list[float] = field(default_factory=lambda: [0.0] * SIZE)
    spread: list[list[float]] = field(
        default_factory=lambda: [[FIRST * (row == column) for column in range(SIZE)] for row in range(SIZE)]
    )  # inverse of the weighted sum of products of features
    seen: int = 0  # samples, each predicted and then learned from unless it was out of the ordinary
    error_sum: float = 0.0  # l/s; of all samples, each predicted before it was learned
    persistence_sum: float = 0.0  # l/s; of the same samples by persistence

    @property
    def progressive_mae(self) -> float:
        """Mean error of test-then-train over all samples ever seen."""
        return self.error_sum / self.seen if self.seen else 0.0

    @property
    def persistence_mae(self) -> float:
        """What persistence would have had."""
        return self.persistence_sum / self.seen if self.seen else 0.0

    def predict(self, sample: Mapping[str, float]) -> float:
        """The flow of the next hour, in l/s."""
        known = features(sample)
        correction = sum(w * x for w, x in zip(self.weights, known, strict=True)) if is_ordinary(known) else 0.0
        return float(sample["last_hour"]) + correction

    def learn(self, sample: Mapping[str, float]) -> float:
        """First predicts, then learns from the true flow in `sample["flow"]`; returns the error of the prediction."""
        flow, known = float(sample["flow"]), features(sample)
        error = flow - self.predict(sample)
        if is_ordinary([*known, error]):
            self._move(known, error)
        self.seen += 1
        self.error_sum += abs(error)
        self.persistence_sum += abs(flow - float(sample["last_hour"]))
        return abs(error)

    def _move(self, x: list[float], error: float) -> None:
        along = [sum(p * v for p, v in zip(row, x, strict=True)) for row in self.spread]
        gain = [a / (FORGETTING + sum(v * b for v, b in zip(x, along, strict=True))) for a in along]
        self.weights = [w + g * error for w, g in zip(self.weights, gain, strict=True)]
        self.spread = [
            [(p - g * a) / FORGETTING for p, a in zip(row, along, strict=True)]
            for row, g in zip(self.spread, gain, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Writes `model.json`."""
        (folder / "model.json").write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Online:
    """What `save` wrote."""
    return Online(**json.loads((folder / "model.json").read_text(encoding="utf-8")))
