"""Usual: what the flow would be on an ordinary day, and which hours are far from it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from hours import Hours

DAY = 24
DAYS_AROUND = 7  # days before and after an hour that tell what is usual at that hour
THRESHOLD = 8.0  # robust scores beyond this are anomalous, unless the user says otherwise
ENOUGH = 4  # values at the same hour of the day that make a profile; with fewer, all hours count
SPREAD = 1.4826  # makes the median absolute deviation of a normal distribution its standard deviation
FLOOR = 0.002  # smallest spread, as a fraction of the level: below it lies the noise of a meter


@dataclass(frozen=True)
class Learned:
    """What a model knows about ordinary days."""

    low: float  # l/s; ordinary flow was hardly ever below
    high: float  # l/s; nor above
    scale: float  # l/s; robust standard deviation of the residuals


@dataclass(frozen=True)
class Usual:
    """An hour by hour comparison with ordinary days."""

    expected: list[float]  # l/s
    scores: list[float | None]  # (value - expected) / scale; None where nothing was measured
    flags: list[bool]  # hours that are anomalous
    scale: float  # l/s


@dataclass(frozen=True)
class Segment:
    """Consecutive anomalous hours on the same side of the expected flow."""

    first: int  # index of the first hour
    last: int  # index of the last hour
    extreme: int  # index of the hour farthest from the expected flow


def compare(hours: Hours, *, threshold: float, learned: Learned | None) -> Usual:
    """Compares each hour with the median at the same hour of the days around it.

    An hour is flagged when its robust score exceeds `threshold`, and so are the neighbours on the same side
    that exceed half of it: the flanks of a fall belong to the fall.
    """
    values = hours.values
    expected = expectations(values)
    if learned is not None:
        expected = [min(max(value, learned.low), learned.high) for value in expected]
    residuals = [abs(value - usual) for value, usual in zip(values, expected, strict=True) if value is not None]
    scale = SPREAD * statistics.median(residuals)
    if learned is not None and len(values) < DAYS_AROUND * DAY:
        scale = learned.scale
    scale = max(scale, FLOOR * abs(statistics.median(expected)), 1e-9)
    scores = [None if value is None else (value - usual) / scale for value, usual in zip(values, expected, strict=True)]
    return Usual(expected, scores, flagged(scores, threshold), scale)


def expectations(values: list[float | None]) -> list[float]:
    """Median at the same hour within DAYS_AROUND days, without the hour itself."""
    reach = DAYS_AROUND * DAY
    typical: dict[int, float] = {}  # median of all hours around, by first index of the block

    def around(index: int) -> float:
        block = index // DAY
        if block not in typical:
            first = max(0, block * DAY - reach)
            nearby = [value for value in values[first : block * DAY + DAY + reach] if value is not None]
            typical[block] = statistics.median(nearby or [v for v in values if v is not None])
        return typical[block]

    expected = []
    for index in range(len(values)):
        first = index % DAY if index < reach else index - reach
        same = [
            value
            for position in range(first, min(len(values), index + reach + 1), DAY)
            if position != index and (value := values[position]) is not None
        ]
        expected.append(statistics.median(same) if len(same) >= ENOUGH else around(index))
    return expected


def flagged(scores: list[float | None], threshold: float) -> list[bool]:
    """Hours beyond the threshold, grown over neighbours on the same side beyond half of it."""
    flags = [score is not None and abs(score) > threshold for score in scores]
    for order in (range(1, len(scores)), range(len(scores) - 2, -1, -1)):
        step = order.step
        for index in order:
            score, neighbour = scores[index], scores[index - step]
            if flags[index] or score is None or neighbour is None or not flags[index - step]:
                continue
            flags[index] = score * neighbour > 0 and abs(score) > threshold / 2
    return flags


def segments(usual: Usual) -> list[Segment]:
    """The flagged hours, joined when they follow each other on the same side."""
    found: list[list[int]] = []
    for index, flag in enumerate(usual.flags):
        if not flag:
            continue
        if found and found[-1][-1] == index - 1 and side(usual, index) == side(usual, index - 1):
            found[-1].append(index)
        else:
            found.append([index])
    return [Segment(run[0], run[-1], max(run, key=lambda i: abs(usual.scores[i] or 0.0))) for run in found]


def side(usual: Usual, index: int) -> bool:
    """True above the expected flow."""
    return (usual.scores[index] or 0.0) > 0


def bridge(hours: Hours, usual: Usual) -> list[float]:
    """The values without anomalies and gaps: these take the value of the day before, which may be bridged too."""
    known = [None if value is None or flag else value for value, flag in zip(hours.values, usual.flags, strict=True)]
    level = statistics.median(
        [value for value in known if value is not None] or [v for v in hours.values if v is not None]
    )
    filled: list[float] = []
    for index, value in enumerate(known):
        if value is not None:
            filled.append(value)
        elif index >= DAY:
            filled.append(filled[index - DAY])
        else:
            filled.append(next((v for v in known[index % DAY :: DAY] if v is not None), level))
    return filled
