"""Habits: whether an application is used regularly, and so when it will be used next. Floor 0: pure.

The rule is that of a person who looks at a calendar: a use that began at about the same time of day on at least 3 of
the last 4 days (or weekdays, or Mondays, …) will begin at that time again. Two of four in vain, and it is none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from statistics import median

from ovd_saas.domain.hours import moment_of

PERIODS = 4
ENOUGH = 3  # of them
TOLERANCE = 15  # minutes between times of day that are about the same
LEAD = 2  # minutes before the earliest of them, at which it is woken
PAUSE = timedelta(hours=1)  # a use after so long without one is a beginning
STEP = timedelta(minutes=15)  # of the uses in so long a time the first one is enough to know
LOOK_BACK = timedelta(days=7 * PERIODS + 1)
AHEAD_DAYS = 8
_DAY = timedelta(days=1)
_WEEKDAYS = range(5)
DAYS = "days"

Minutes = int  # after midnight, by the clock on the wall
Beginnings = dict[date, list[Minutes]]


@dataclass(frozen=True)
class Expected:
    """A use that is expected."""

    at: datetime  # UTC, when to wake
    until: datetime  # UTC, when nobody comes any more
    why: str  # a sentence


def expected(uses: Sequence[datetime], zone: tzinfo, *, now: datetime) -> Expected | None:
    """The next use that is to be expected; None when there is no habit. `uses` are in order, of the last LOOK_BACK;
    of those within a STEP only the first is needed."""
    if not uses:
        return None
    began = _beginnings(uses, zone)
    today = now.astimezone(zone).date()
    for day in (today + more * _DAY for more in range(AHEAD_DAYS)):
        found = [one for one in _on(day, began, zone) if one.at > now]
        if found:
            return min(found, key=lambda one: one.at)
    return None


def _beginnings(uses: Sequence[datetime], zone: tzinfo) -> Beginnings:
    """By local day, the minutes at which uses began."""
    found: defaultdict[date, list[Minutes]] = defaultdict(list)
    last: datetime | None = None
    for use in uses:
        if last is None or use - last >= PAUSE:
            local = use.astimezone(zone)
            found[local.date()].append(60 * local.hour + local.minute)
        last = use
    return found


def _on(day: date, began: Beginnings, zone: tzinfo) -> Iterator[Expected]:
    """What is expected on this day, the best reason first."""
    for days, called in _calendars(day):
        for minutes, times in _regular(days, began):
            if called == DAYS and not _near(minutes, began.get(day - 7 * _DAY)):
                continue  # a week ago it was not so: at weekends it may rest
            yield Expected(
                at=moment_of(day, max(min(minutes) - LEAD, 0), zone),
                until=moment_of(day, max(minutes) + TOLERANCE, zone, is_last=True),
                why=f"Used on {_how_often(times)} {called} at about {_clock(minutes)}.",
            )


def _calendars(day: date) -> Iterator[tuple[list[date], str]]:
    """The days before this one that are like it, in each sense, the latest first."""
    before = [day - more * _DAY for more in range(1, 7 * PERIODS + 1)]
    if day.weekday() in _WEEKDAYS:
        yield [one for one in before if one.weekday() in _WEEKDAYS][:PERIODS], "weekdays"
    else:
        yield before[:PERIODS], DAYS
    yield [one for one in before if one.weekday() == day.weekday()][:PERIODS], f"{day:%A}s"


def _regular(days: Iterable[date], began: Beginnings) -> Iterator[tuple[list[Minutes], int]]:
    """The times of day that enough of the days have in common, and how many have them; each once."""
    found: set[tuple[Minutes, ...]] = set()
    for anchor in sorted({minute for day in days for minute in began.get(day, ())}):
        nearest = [
            min(began[day], key=lambda minute: abs(minute - anchor)) for day in days if _near([anchor], began.get(day))
        ]
        if len(nearest) >= ENOUGH and tuple(sorted(nearest)) not in found:
            found.add(tuple(sorted(nearest)))
            yield nearest, len(nearest)


def _near(anchors: Sequence[Minutes], minutes: Iterable[Minutes] | None) -> bool:
    about = median(anchors)
    return any(abs(minute - about) <= TOLERANCE for minute in minutes or ())


def _how_often(times: int) -> str:
    return f"the last {PERIODS}" if times == PERIODS else f"{times} of the last {PERIODS}"


def _clock(minutes: Sequence[Minutes]) -> str:
    about = round(median(minutes))
    return f"{about // 60:02}:{about % 60:02}"
