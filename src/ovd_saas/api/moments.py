"""Moments: RFC 3339 as a client writes it into an address. Floor 3."""

import re
from datetime import UTC, datetime

from ovd_saas.api.problems import Invalid

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|(?P<sign>[+ -])\d\d:\d\d)", re.ASCII
)  # in an address, a + that was not written as %2B has become a space


def of(text: str, *, field: str) -> datetime:
    """The moment in UTC. Raises Invalid, naming `field`."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise Invalid.field(field, _wanted(text))
    if match["sign"] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid.field(field, f"{text} is no moment of the calendar. Check its day, hour and zone.") from None


def _wanted(text: str) -> str:
    says = repr(text[:40]) if text else "nothing"
    return f"It says {says}, not a moment with its zone. Send RFC 3339, such as 2026-03-01T12:00:00Z."
