"""Hours: a measured series laid out as one value per hour, with None where nothing was measured."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
NOWHEN = datetime(1970, 1, 1, tzinfo=UTC)  # stands for the beginning of a series without times
SHORTEST = 24  # measured hours below which nothing can be said about a daily rhythm
LONGEST = 20_000  # hours between the first and the last value: about 27 months
LARGEST = 1e9  # beyond this a value is not a flow


class Unsuitable(ValueError):
    """The series cannot be used; the text says why and what to send instead."""


@dataclass(frozen=True)
class Hours:
    """Values on a full hourly grid."""

    start: datetime  # beginning of the first hour, with a time zone
    values: list[float | None]  # one per hour
    remarks: tuple[str, ...] = ()  # what had to be done to the series, for the reader
    has_times: bool = True  # False: only the order of the values is known

    def __len__(self) -> int:
        return len(self.values)

    def time(self, index: int) -> datetime:
        """Beginning of hour `index`, which may lie beyond the end."""
        return self.start + index * HOUR

    def last(self, count: int) -> Hours:
        """The last `count` hours."""
        first = max(0, len(self.values) - count)
        return Hours(self.time(first), self.values[first:], self.remarks, self.has_times)

    def until(self, index: int) -> Hours:
        """The hours before `index`."""
        return Hours(self.start, self.values[:index], self.remarks, self.has_times)


def lay_out(times: Sequence[datetime], values: Sequence[float | None]) -> Hours:
    """Puts a series on the hourly grid: sorts it, averages within an hour, leaves gaps as None.

    Hours begin on the full hour in UTC; the time zone of the last value is kept for display.
    Without times, the values are taken as consecutive hours.
    Raises Unsuitable when the series is too short, too long, coarser than hourly, or not a flow.
    """
    has_times = bool(times)
    if not has_times:
        times = [NOWHEN + index * HOUR for index in range(len(values))]
    moments = [(aware(time), value) for time, value in zip(times, values, strict=True)]
    measured = [(time, float(value)) for time, value in moments if value is not None]
    if len(measured) < SHORTEST:
        raise Unsuitable(
            f"The history has {len(measured)} measured values; at least {SHORTEST} are needed. "
            "Send two days of hourly values or more."
        )
    for time, value in measured:
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise Unsuitable(f"The value at {time.isoformat()} ({value!r}) is not a flow. Remove or correct it.")
    remarks = []
    if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(measured)):
        measured.sort(key=lambda pair: pair[0])
        remarks.append("The times were not in order and have been sorted.")
    refuse_other_steps([time for time, _ in measured])
    first, final = floor(measured[0][0]), floor(measured[-1][0])
    count = int((final - first) / HOUR) + 1
    if count > LONGEST:
        raise Unsuitable(f"The history spans {count} hours; at most {LONGEST} are accepted. Send the newest part.")
    cells: list[list[float]] = [[] for _ in range(count)]
    for time, value in measured:
        cells[int((time - first) / HOUR)].append(value)
    if any(len(cell) > 1 for cell in cells):
        remarks.append("Several values fell within one hour and were averaged.")
    grid = [statistics.fmean(cell) if cell else None for cell in cells]
    missing = sum(value is None for value in grid)
    if missing:
        remarks.append(f"{missing} of {count} hours have no value and were bridged with the same hour of earlier days.")
    if count - missing < SHORTEST:
        raise Unsuitable(
            f"The history has values in only {count - missing} different hours; at least {SHORTEST} are needed."
        )
    zone = measured[-1][0].tzinfo
    return Hours(first.astimezone(zone), grid, tuple(remarks), has_times)


def refuse_other_steps(times: list[datetime]) -> None:
    """Raises Unsuitable when the usual distance between values is more than an hour, or values coincide."""
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for earlier, step in zip(times, steps, strict=False):
        if not step:
            raise Unsuitable(f"There are two values for {earlier.isoformat()}. Keep one of them.")
    usual = statistics.median(steps)
    if usual > HOUR:
        raise Unsuitable(
            f"The values are usually {usual / HOUR:g} hours apart. This application forecasts hourly flow: "
            "send one value per hour, or more."
        )


def aware(time: datetime) -> datetime:
    """A moment without a time zone is taken as UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def floor(time: datetime) -> datetime:
    """Beginning of the hour, in UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
