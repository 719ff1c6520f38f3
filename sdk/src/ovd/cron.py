"""Cron: whether five fields are a schedule, before a platform reads it (with cronsim, by the same rules)."""

import re
from typing import Optional, Set, Tuple

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: Tuple[Tuple[str, int, int, Tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of the months


def fault(schedule: str) -> str:
    """What is wrong with `schedule`, which has five fields, as the end of a sentence; empty when nothing is."""
    fields = schedule.upper().split()
    for text, (name, least, most, names) in zip(fields, _FIELDS):
        if any(_values(term, name, least, most, names) is None for term in text.split(",")):
            return f"has {text!r} as its {name}, which goes from {least} to {most}."
    return _never(fields[2], fields[3]) if fields[4].startswith("*") else ""


def _never(days: str, months: str) -> str:
    """A day that no month of the schedule has."""
    if "L" in days:
        return ""
    wanted = _all(days, *_FIELDS[2])
    longest = max(_LONGEST[month - 1] for month in _all(months, *_FIELDS[3]))
    return f"names a day of the month, {min(wanted)}, that its months do not have." if min(wanted) > longest else ""


def _all(text: str, name: str, least: int, most: int, names: Tuple[str, ...]) -> Set[int]:
    return {value for term in text.split(",") for value in _values(term, name, least, most, names) or ()}


def _values(term: str, name: str, least: int, most: int, names: Tuple[str, ...]) -> Optional[Set[int]]:
    """The values that one term means; None when it means none."""
    base, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step)):
        return None
    if name == "day of the month" and base in ("L", "LW"):
        return {most}
    if name == "day of the week" and not slash:
        base = re.sub(r"#[1-5]$|(?<=^\d)L$", "", base)
    if base == "*":
        return set(range(least, most + 1, int(step or 1)))
    start, dash, end = base.partition("-")
    first = _number(start, least, most, names)
    last = _number(end, least, most, names) if dash else first
    if first is None or last is None or last < first:
        return None
    return set(range(first, (most if slash and not dash else last) + 1, int(step or 1)))


def _number(text: str, least: int, most: int, names: Tuple[str, ...]) -> Optional[int]:
    if text in names:
        return names.index(text) + least
    is_one = text.isascii() and text.isdigit() and least <= int(text) <= most
    return int(text) if is_one else None
