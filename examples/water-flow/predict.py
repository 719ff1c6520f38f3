"""Predict: the flow of the coming hours, with an interval, from the hours so far and a model if there is one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from hours import Hours
from usual import DAY, Learned, Usual, bridge

REACH = 7 * DAY  # longest lead, and how far back the features look
NEEDED = 2 * DAY  # hours of history that a prediction by the model needs
FEATURES = (
    "last value, against the same hour of the day before",
    "mean of the last two days at this hour",
    "mean of the last week at this hour",
    "mean of the last 24 hours",
    "change in the last hour",
    "last value, against the hour 24 h earlier",
    "last value, against the same hour of the last week",
    "sine of the hour",
    "cosine of the hour",
    "sine of twice the hour",
    "cosine of twice the hour",
    "weekend",
)  # the first four are differences from the seasonal-naive value; all flows in l/s


@dataclass(frozen=True)
class Band:
    """A regression for some leads (hours ahead): what to add to the seasonal-naive forecast."""

    first: int  # shortest lead
    last: int  # longest lead
    intercept: float
    weights: list[float]  # one per feature
    widths: dict[str, float]  # half width of the interval in l/s, by level in percent

    def correction(self, features: Sequence[float]) -> float:
        """In l/s."""
        return self.intercept + sum(w * x for w, x in zip(self.weights, features, strict=True))


@dataclass(frozen=True)
class Model:
    """What was learned. `bands` are in order of lead, without holes, from lead 1 on."""

    bands: list[Band]
    usual: Learned
    hours: int  # how many hours it has learned from
    until: str  # the last of them, RFC 3339

    def band(self, lead: int) -> Band | None:
        """The band of this lead, or None when nothing was learned for it."""
        return next((band for band in self.bands if band.first <= lead <= band.last), None)


def load(folder: Path) -> Model:
    """Reads `model.json` as written by learning."""
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return Model(
        bands=[Band(**band) for band in content["bands"]],
        usual=Learned(**content["usual"]),
        hours=content["hours"],
        until=content["until"],
    )


@dataclass(frozen=True)
class Prediction:
    """The coming hours; all three have one value per hour, in l/s."""

    values: list[float]
    lower: list[float]
    upper: list[float]
    by_model: int  # how many of the hours the model predicted; the others are seasonal-naive


def predict(hours: Hours, usual: Usual, *, horizon: int, level: int, model: Model | None) -> Prediction:
    """The `horizon` hours that follow, with an interval meant to hold `level` percent of them."""
    filled = bridge(hours, usual)
    origin = len(filled) - 1
    if not hours.has_times or len(filled) < NEEDED:
        model = None
    naive_widths = seasonal_widths(hours, usual, days=-(-horizon // DAY), level=level)
    clock = rhythm(hours, len(filled) + horizon)
    values, widths, by_model = [], [], 0
    for lead in range(1, horizon + 1):
        value, width = seasonal_naive(filled, origin, lead), naive_widths[(lead - 1) // DAY]
        band = model.band(lead) if model is not None else None
        if band is not None:
            value += band.correction(features(filled, clock, origin, lead))
            width, by_model = band.widths[str(level)], by_model + 1
        values.append(value)
        widths.append(width)
    return Prediction(
        values=values,
        lower=[value - width for value, width in zip(values, widths, strict=True)],
        upper=[value + width for value, width in zip(values, widths, strict=True)],
        by_model=by_model,
    )


def seasonal_naive(filled: Sequence[float], origin: int, lead: int) -> float:
    """The value at the same hour of the last day known at `origin`."""
    return filled[origin + lead - DAY * -(-lead // DAY)]


def features(filled: Sequence[float], clock: Sequence[tuple[float, ...]], origin: int, lead: int) -> tuple[float, ...]:
    """What the regression sees at hour `origin` about hour `origin + lead`; see FEATURES."""
    target = origin + lead
    newest = target - DAY * -(-lead // DAY)  # same hour of the day as the target, not after the origin
    naive = filled[newest]
    same = filled[newest % DAY if newest < REACH - DAY else newest - REACH + DAY : newest + 1 : DAY]
    same_as_now = filled[origin % DAY if origin < REACH else origin - REACH : origin : DAY]
    last_day = filled[max(0, origin - DAY + 1) : origin + 1]
    now = filled[origin]
    return (
        now - naive,
        sum(same[-2:]) / len(same[-2:]) - naive,
        sum(same) / len(same) - naive,
        sum(last_day) / len(last_day) - naive,
        now - filled[origin - 1],
        now - same_as_now[-1],
        now - sum(same_as_now) / len(same_as_now),
        *clock[target],
    )


def rhythm(hours: Hours, count: int) -> list[tuple[float, ...]]:
    """Hour of the day as two waves, and weekend or not, for `count` hours; in UTC, so that no hour occurs twice."""
    start = hours.start.astimezone(UTC)
    waves = [
        (math.sin(angle), math.cos(angle), math.sin(2 * angle), math.cos(2 * angle))
        for angle in (2 * math.pi * hour / DAY for hour in range(DAY))
    ]
    first = start.weekday() * DAY + start.hour
    return [(*waves[(first + index) % DAY], float((first + index) // DAY % 7 >= 5)) for index in range(count)]


def seasonal_widths(hours: Hours, usual: Usual, *, days: int, level: int) -> list[float]:
    """Half width of the seasonal-naive interval for each of the coming `days`, from the history's own errors."""
    known = [None if flag else value for value, flag in zip(hours.values, usual.flags, strict=True)]
    widths: list[float] = []
    for day in range(1, days + 1):
        errors = [
            abs(now - before)
            for before, now in zip(known, known[day * DAY :], strict=False)
            if now is not None and before is not None
        ]
        if len(errors) >= DAY:
            width = half_width(errors, level)
        elif widths:
            width = widths[0] * math.sqrt(day)  # too short a history: as if each day were a random step
        else:
            width = half_width(errors or [usual.scale], level)
        widths.append(max(width, widths[-1] if widths else 0.0))
    return widths


def half_width(errors: Sequence[float], level: int) -> float:
    """The split-conformal quantile: the ceil((n + 1) · level)-th smallest error, or the largest.

    Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005.
    """
    ordered = sorted(errors)
    return ordered[min(len(ordered), math.ceil((len(ordered) + 1) * level / 100)) - 1]
