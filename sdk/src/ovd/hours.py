"""Hours: when an application is kept awake, as `[sleep] keep_awake` says it. Also read by the platform.

Either hours, several by comma: "08:00-18:00", "mon-fri 08:00-18:00, sat 10:00-12:00", "22:00-06:00" (into the next
day), "00:00-24:00" (always); or the five fields of cron, for moments at which it is woken.
"""

import re
from typing import FrozenSet, NamedTuple, Tuple

from ovd import cron

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as datetime.weekday() counts them
WHOLE_DAY = 24 * 60
_HOURS = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?\s+)?(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)", re.ASCII)
CURE = 'Write hours such as "mon-fri 08:00-18:00, sat 10:00-12:00", or five fields of cron such as "0 8 * * 1-5".'


class Hours(NamedTuple):
    """From `begin` to `end` on each of these days, by the clock on the wall."""

    days: FrozenSet[int]  # 0 = Monday, on which they begin
    begin: int  # minutes after midnight
    end: int  # likewise; not after `begin`: on the next day


class BadHours(ValueError):
    """The text says no hours; the message is the end of a sentence that names it."""


def is_cron(text: str) -> bool:
    """Whether it names moments instead of hours."""
    return ":" not in text and len(text.split()) == 5


def parse(text: str) -> Tuple[Hours, ...]:
    """The hours that the text says. Raises BadHours."""
    return tuple(_hours(part.strip()) for part in text.lower().split(","))


def fault(text: str) -> str:
    """What is wrong with a `keep_awake`, as the end of a sentence; empty when it is right."""
    if is_cron(text):
        return cron.fault(text)
    try:
        parse(text)
    except BadHours as error:
        return str(error)
    return ""


def _hours(text: str) -> Hours:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise BadHours(f"holds {text!r}, which are no hours." if text else "holds a comma too many.")
    first, last, *clock = found.groups()
    begin, end = (_minutes(int(clock[i]), int(clock[i + 1]), text) for i in (0, 2))
    if begin in (end, WHOLE_DAY):
        raise BadHours(f"holds {text!r}, which ends where it begins. A whole day is 00:00-24:00.")
    return Hours(_days(first, last), begin, end)


def _minutes(hour: int, minute: int, text: str) -> int:
    total = 60 * hour + minute
    if minute > 59 or total > WHOLE_DAY:
        raise BadHours(f"holds {text!r}; the clock goes from 00:00 to 24:00.")
    return total


def _days(first: str, last: str) -> FrozenSet[int]:
    """The days from the first to the last one; after sun comes mon. Without any: all."""
    for name in (first, last):
        if name and name not in DAYS:
            raise BadHours(f"names the day {name!r}; days are {', '.join(DAYS)}.")
    if not first:
        return frozenset(range(7))
    begin = DAYS.index(first)
    length = (DAYS.index(last) - begin) % 7 if last else 0
    return frozenset((begin + more) % 7 for more in range(length + 1))
