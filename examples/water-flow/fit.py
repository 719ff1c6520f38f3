"""Fit: ridge regressions for each lead, from sums that can be continued:
learning in steps gives almost what learning at once gives.

Needs numpy, which `execute` does not: it is imported only when the application learns.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hours import HOUR, Hours
from predict import FEATURES, NEEDED, REACH, features, half_width, rhythm, seasonal_naive
from usual import DAY, THRESHOLD, Learned, Usual, bridge, compare

LEVELS = range(50, 100)  # intervals that can be asked for, in percent
BANDS = [(lead, lead) for lead in range(1, DAY + 1)] + [
    (day * DAY + 1, (day + 1) * DAY) for day in range(1, REACH // DAY)
]  # the coming day hour by hour, later days as a whole
STRIDE = 6  # in the bands of a whole day, an origin every so many hours
RIDGE = 100.0  # penalty on standardised features; 30 to 300 differ by under 4 % on the river series
FEWEST = 100  # rows below which a band is not learned
KEPT = 500  # newest errors of each band that make its interval
REHEARSED = 0.6  # part of the first data after which errors are collected
TAIL = 4 * 7 * DAY  # hours kept for the features of the next learning

Array = np.ndarray


@dataclass
class Sums:
    """All that a ridge regression needs to know of its rows; sums of sums are sums of all rows."""

    count: float = 0.0
    x: Array = field(default_factory=lambda: np.zeros(len(FEATURES)))
    xx: Array = field(default_factory=lambda: np.zeros((len(FEATURES), len(FEATURES))))
    y: float = 0.0
    xy: Array = field(default_factory=lambda: np.zeros(len(FEATURES)))

    def add(self, rows: Array, targets: Array) -> Sums:
        """With these rows too."""
        return Sums(
            self.count + len(rows),
            self.x + rows.sum(axis=0),
            self.xx + rows.T @ rows,
            self.y + targets.sum(),
            self.xy + rows.T @ targets,
        )

    def solve(self) -> tuple[float, Array]:
        """Intercept and weights for features as they are, penalised as if they were standardised."""
        mean, target = self.x / self.count, self.y / self.count
        covariance = self.xx / self.count - np.outer(mean, mean)
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        normal = covariance / np.outer(scale, scale) + RIDGE / self.count * np.eye(len(mean))
        weights = np.linalg.solve(normal, (self.xy / self.count - mean * target) / scale) / scale
        return float(target - weights @ mean), weights


@dataclass
class State:
    """What learning hands to the next learning."""

    sums: list[Sums]  # one per band
    errors: list[Array]  # absolute, of hours not yet learned when predicted; one array per band, oldest first
    tail: Hours  # the last hours learned from
    usual: Learned
    hours: int  # learned from, in all


def learn(hours: Hours, parent: State | None) -> State:
    """Learns from the hours that `parent` does not know yet. Raises ValueError when there is too little."""
    grid, new = (hours, 0) if parent is None else continued(parent.tail, hours)
    fresh = sum(value is not None for value in grid.values[new:])
    if not fresh:
        raise ValueError("None of the samples is newer than what the parent model has learned. Feed newer hours.")
    usual = compare(grid, threshold=THRESHOLD, learned=None)
    bands = rows_of_bands(grid, usual, new)
    if parent is None:
        sums = [Sums() for _ in BANDS]
        errors = [rehearse(rows, lead) for rows, (_, lead) in zip(bands, BANDS, strict=True)]
    else:
        sums = parent.sums
        errors = [
            np.concatenate([old, misses(total, rows.x, rows.y)])[-KEPT:]
            for old, total, rows in zip(parent.errors, sums, bands, strict=True)
        ]
    sums = [total.add(rows.x, rows.y) for total, rows in zip(sums, bands, strict=True)]
    if sums[0].count < FEWEST or len(errors[0]) < FEWEST // 4:
        raise ValueError(
            f"There are {fresh} measured hours; about two weeks without long gaps are needed to learn. Feed more."
        )
    return State(
        sums=sums,
        errors=errors,
        tail=grid.last(TAIL),
        usual=ordinary(grid, usual, parent.usual if parent else None),
        hours=(parent.hours if parent else 0) + fresh,
    )


def continued(tail: Hours, hours: Hours) -> tuple[Hours, int]:
    """The known hours followed by those after them, with the index of the first new one."""
    new = len(tail)
    shift = round((hours.start - tail.start) / HOUR)
    values = tail.values + [None] * max(0, shift + len(hours) - new)
    for index, value in enumerate(hours.values):
        if shift + index >= new:
            values[shift + index] = value
    return Hours(tail.start, values), new


def ordinary(hours: Hours, usual: Usual, parent: Learned | None) -> Learned:
    """Between which flows ordinary days lay, and how far single hours were from the expected flow."""
    values = [v for v, flag in zip(hours.values, usual.flags, strict=True) if v is not None and not flag]
    low, high = (float(bound) for bound in np.quantile(values, [0.005, 0.995]))
    if parent is not None:
        low, high = min(low, parent.low), max(high, parent.high)
    return Learned(low=low, high=high, scale=usual.scale)


@dataclass(frozen=True)
class Rows:
    """What a regression learns from."""

    x: Array  # rows × FEATURES
    y: Array  # rows; l/s over seasonal-naive
    targets: Array  # rows; index of the hour predicted


def rows_of_bands(hours: Hours, usual: Usual, new: int) -> list[Rows]:
    """The rows of each band whose targets are known, not anomalous, and not before `new`."""
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
            for lead in range(max(first, new - origin), min(last, len(known) - 1 - origin) + 1)
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
    return misses(Sums().add(rows.x[early], rows.y[early]), rows.x[late], rows.y[late])[-KEPT:]


def misses(sums: Sums, x: Array, y: Array) -> Array:
    """Absolute errors of the regression on rows that it has not seen; none when it has seen too few."""
    if sums.count < FEWEST or not len(y):
        return np.zeros(0)
    intercept, weights = sums.solve()
    return np.abs(y - intercept - x @ weights)


def save(state: State, folder: Path) -> None:
    """Writes `model.json`, which executing reads, and `state.npz`, which the next learning reads."""
    bands = []
    for (first, last), sums, errors in zip(BANDS, state.sums, state.errors, strict=True):
        if sums.count < FEWEST or len(errors) < FEWEST // 4:
            break
        intercept, weights = sums.solve()
        widths = {str(level): half_width(errors.tolist(), level) for level in LEVELS}
        bands.append(
            {"first": first, "last": last, "intercept": intercept, "weights": weights.tolist(), "widths": widths}
        )
    content = {
        "bands": bands,
        "features": FEATURES,
        "usual": asdict(state.usual),
        "hours": state.hours,
        "until": state.tail.time(len(state.tail) - 1).isoformat(),
    }
    (folder / "model.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    np.savez(
        folder / "state.npz",
        count=np.array([sums.count for sums in state.sums]),
        x=np.array([sums.x for sums in state.sums]),
        xx=np.array([sums.xx for sums in state.sums]),
        y=np.array([sums.y for sums in state.sums]),
        xy=np.array([sums.xy for sums in state.sums]),
        errors=np.concatenate(state.errors),
        kept=np.array([len(errors) for errors in state.errors]),
        tail=np.array([np.nan if value is None else value for value in state.tail.values]),
        tail_start=np.array(state.tail.start.timestamp()),
        usual=np.array([state.usual.low, state.usual.high, state.usual.scale]),
        hours=np.array(state.hours),
    )


def restore(folder: Path) -> State:
    """What `save` wrote."""
    with np.load(folder / "state.npz", allow_pickle=False) as content:
        stored = {name: content[name] for name in content.files}
    parts = zip(stored["count"], stored["x"], stored["xx"], stored["y"], stored["xy"], strict=True)
    low, high, scale = (float(value) for value in stored["usual"])
    return State(
        sums=[Sums(float(count), x, xx, float(y), xy) for count, x, xx, y, xy in parts],
        errors=np.split(stored["errors"], np.cumsum(stored["kept"])[:-1]),
        tail=Hours(
            datetime.fromtimestamp(float(stored["tail_start"]), UTC),
            [None if np.isnan(value) else float(value) for value in stored["tail"]],
        ),
        usual=Learned(low, high, scale),
        hours=int(stored["hours"]),
    )
