"""Plots: the series of an execution as one picture: what was, what is expected, in which interval, what is odd. Pure.

Recognised by name: `lower` and `upper` (or `…_lower`, `…_upper`, `low`, `high`) are an interval; a series whose name
speaks of anomalies, flags or outliers marks points; a table that does, with columns `start` and `end`, marks spans.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ovd_saas.assets.kinds import Shown

MOST = 4000  # points of one line; more than a screen has pixels
_LOWER = re.compile(r"(^|_)(lower|low|lo)$")
_UPPER = re.compile(r"(^|_)(upper|high|hi)$")
_ODD = re.compile(r"anomal|flag|outlier|unusual")

Point = list[Any]  # [moment or index, value or None]


@dataclass(frozen=True)
class Plot:
    """What `static/ovd/kinds.js` draws, and which outputs it shows."""

    picture: dict[str, Any]
    names: frozenset[str]
    label: str


def of_one(series: Shown) -> dict[str, Any]:
    """The picture of one series alone."""
    line = {"name": series.label, "points": thin(points(series.value)), "role": "value"}
    return {"unit": series.unit, "timed": bool(series.value.get("times")), "lines": [line]}


def together(outputs: Sequence[Shown], inputs: Sequence[Shown]) -> Plot | None:
    """One picture of all series that were put out, after the series that was put in; None when none was."""
    series = [one for one in outputs if one.kind == "series"]
    lower, upper = _first(series, _LOWER), _first(series, _UPPER)
    interval = (lower, upper) if lower and upper else ()
    odd = [one for one in series if _ODD.search(one.name)]
    lines = [one for one in series if one not in interval and one not in odd]
    if not lines and not odd:
        return None
    before = next((one for one in inputs if one.kind == "series"), None)
    timed = all(one.value.get("times") for one in [*series, *([before] if before else [])] if one.value["values"])
    shift = len(before.value["values"]) if before and not timed else 0
    picture: dict[str, Any] = {"unit": next((one.unit for one in series if one.unit), ""), "timed": timed, "lines": []}
    if before:
        picture["lines"].append(_line(before, "history", timed, 0))
    picture["lines"] += [_line(one, "value", timed, shift) for one in lines]
    if lower and upper:
        picture["interval"] = {
            "name": "Interval",
            "lower": thin(points(lower.value, timed, shift)),
            "upper": thin(points(upper.value, timed, shift)),
        }
    marks = [point for one in odd for point in points(one.value, timed, 0) if point[1] is not None]
    if marks:
        picture["marks"] = {"name": odd[0].label, "points": marks}
    picture["spans"] = [span for one in outputs for span in _spans(one)] if timed else []
    names = frozenset(one.name for one in series)
    return Plot(picture, names, ", ".join(one.label for one in [*lines, *odd]))


def points(value: dict[str, Any], timed: bool | None = None, shift: int = 0) -> list[Point]:
    times = value.get("times") or []
    if times and timed is not False:
        return [[time, number] for time, number in zip(times, value["values"], strict=False)]
    return [[index + shift, number] for index, number in enumerate(value["values"], start=1)]


def thin(line: list[Point]) -> list[Point]:
    """At most about MOST points: of each stretch its lowest and its highest, so that no spike gets lost."""
    if len(line) <= MOST:
        return line
    edges = [round(index * len(line) / (MOST // 2)) for index in range(MOST // 2 + 1)]
    kept: list[Point] = []
    for first, end in pairwise(edges):
        known = [index for index in range(first, end) if line[index][1] is not None]
        if not known:
            kept.append(line[first])
            continue
        ends = {min(known, key=lambda index: line[index][1]), max(known, key=lambda index: line[index][1])}
        kept += [line[index] for index in sorted(ends)]
    return kept


def _line(one: Shown, role: str, timed: bool, shift: int) -> dict[str, Any]:
    return {"name": one.label, "points": thin(points(one.value, timed, shift)), "role": role}


def _first(series: Sequence[Shown], name: re.Pattern[str]) -> Shown | None:
    return next((one for one in series if name.search(one.name)), None)


def _spans(one: Shown) -> list[list[Any]]:
    if one.kind != "table" or not _ODD.search(one.name):
        return []
    columns = list(one.value["columns"])
    if "start" not in columns or "end" not in columns:
        return []
    return [[row[columns.index("start")], row[columns.index("end")]] for row in one.value["rows"]]
