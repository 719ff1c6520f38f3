"""Fit: ridge regressions for each lead, and the intervals around them.

Needs numpy, which `execute` does not: it is imported only when the application learns.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from hours import Hours
from predict import FEATURES, NEEDED, REACH, features, half_width, rhythm, seasonal_naive
from usual import DAY, THRESHOLD, Learned, Usual, bridge, compare

LEVELS = range(50, 100)  # intervals that can be asked for, in percent
BANDS = [(lead, lead) for lead in range(1, DAY + 1)] + [
    (day * DAY + 1, (day + 1) * DAY) for day in range(1, REACH // DAY)
]  # the coming day hour by hour, later days as a whole
STRIDE = 6  # in the bands of a whole day, an origin every so many hours
RIDGE = 100.0  # penalty on standardised features; 30 to 300 differ by under 4 % on the river series
FEWEST = 60  # rows below which a band is not learned
KEPT = 500  # newest rehearsed errors of each band, which make its interval
REHEARSED = 0.6  # part of the rows after which errors are collected

Array = np.ndarray
Tell = Callable[[int, int, float], None]  # shortest and longest lead of a band, its mean error in the rehearsal


@dataclass
class Learnt:
    """One band, learned."""

    first: int  # shortest lead
    last: int  # longest lead
    intercept: float
    weights: Array  # one per feature
    errors: Array  # absolute, l/s, of later hours that the regression of the rehearsal had not seen


@dataclass
class Lesson:
    """All that was learned."""

    bands: list[Learnt]
    usual: Learned
    hours: int  # measured hours that it was learned from
    until: str  # the last of them, RFC 3339


def learn(hours: Hours, tell: Tell = lambda first, last, error: None) -> Lesson:
    """Learns from all these hours; tells of each band when it is done. Raises ValueError when there is too little."""
    usual = compare(hours, threshold=THRESHOLD, learned=None)
    measured = sum(value is not None for value in hours.values)
    bands = []
    for (first, last), rows in zip(BANDS, rows_of_bands(hours, usual), strict=True):
        errors = rehearse(rows, last)
        if len(rows.y) < FEWEST or len(errors) < FEWEST // 4:
            break
        bands.append(Learnt(first, last, *solve(rows.x, rows.y), errors))
        tell(first, last, float(errors.mean()))
    if not bands:
        raise ValueError(
            f"There are {measured} measured hours; about two weeks without long gaps are needed to learn. Feed more."
        )
    return Lesson(bands, ordinary(hours, usual), measured, hours.time(len(hours) - 1).isoformat())


def solve(x: Array, y: Array) -> tuple[float, Array]:
    """Intercept and weights of a ridge regression for features as they are, penalised as if they were standardised."""
    mean, target = x.mean(axis=0), y.mean()
    covariance = (x - mean).T @ (x - mean) / len(x)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    normal = covariance / np.outer(scale, scale) + RIDGE / len(x) * np.eye(len(mean))
    weights = np.linalg.solve(normal, (x - mean).T @ (y - target) / len(x) / scale) / scale
    return float(target - weights @ mean), weights


def ordinary(hours: Hours, usual: Usual) -> Learned:
    """Between which flows ordinary days lay, and how far single hours were from the expected flow."""
    values = [v for v, flag in zip(hours.values, usual.flags, strict=True) if v is not None and not flag]
    low, high = (float(bound) for bound in np.quantile(values, [0.005, 0.995]))
    return Learned(low=low, high=high, scale=usual.scale)


@dataclass(frozen=True)
class Rows:
    """What a regression learns from."""

    x: Array  # rows × FEATURES
    y: Array  # rows; l/s over seasonal-naive
    targets: Array  # rows; index of the hour predicted


def rows_of_bands(hours: Hours, usual: Usual) -> list[Rows]:
    """The rows of each band whose targets are known and not anomalous."""
    filled, clock = bridge(hours, usual), rhythm(hours, len(hours))
    known = [value is not None and not flag for value, flag in zip(hours.values, usual.flags, strict=True)]
    origins = [
        index
        for index in range(NEEDED - 1, len(known))
        if sum(known[index - DAY + 1 : index + 1]) >= DAY // 2  # after an outage, wait until there is something to see
    ]
    bands = []
    for first, last in BANDS:
        pairs = [
            (origin, lead)
            for origin in origins
            if first == last or origin % STRIDE == 0
            for lead in range(first, min(last, len(known) - 1 - origin) + 1)
            if known[origin + lead]
        ]
        x = [features(filled, clock, origin, lead) for origin, lead in pairs]
        y = [filled[origin + lead] - seasonal_naive(filled, origin, lead) for origin, lead in pairs]
        targets = [origin + lead for origin, lead in pairs]
        bands.append(Rows(np.array(x).reshape(-1, len(FEATURES)), np.array(y), np.array(targets, dtype=int)))
    return bands


def rehearse(rows: Rows, lead: int) -> Array:
    """Errors on later rows of a regression that has seen only the earlier ones, none of whose targets overlap."""
    if not len(rows.targets):
        return np.zeros(0)
    first, last = int(rows.targets.min()), int(rows.targets.max())
    split = first + REHEARSED * (last - first)
    early, late = rows.targets < split, rows.targets >= split + lead
    if early.sum() < FEWEST or not late.any():
        return np.zeros(0)
    intercept, weights = solve(rows.x[early], rows.y[early])
    return np.abs(rows.y[late] - intercept - rows.x[late] @ weights)[-KEPT:]


def save(lesson: Lesson, folder: Path) -> None:
    """Writes `model.json`, which executing reads."""
    bands = [
        {
            "first": band.first,
            "last": band.last,
            "intercept": band.intercept,
            "weights": band.weights.tolist(),
            "widths": {str(level): half_width(band.errors.tolist(), level) for level in LEVELS},
        }
        for band in lesson.bands
    ]
    content = {
        "bands": bands,
        "features": FEATURES,
        "usual": asdict(lesson.usual),
        "hours": lesson.hours,
        "until": lesson.until,
    }
    (folder / "model.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
