"""Hours in which an application is kept awake, as a manifest says them."""

import pytest

from ovd import hours

WEEK = frozenset(range(7))


@pytest.mark.parametrize(
    ("text", "days", "begin", "end"),
    [
        ("08:00-18:00", WEEK, 480, 1080),
        ("8:00 - 18:30", WEEK, 480, 1110),
        ("mon-fri 08:00-18:00", frozenset(range(5)), 480, 1080),
        ("SAT 10:00-12:00", frozenset({5}), 600, 720),
        ("fri-mon 22:00-06:00", frozenset({4, 5, 6, 0}), 1320, 360),
        ("00:00-24:00", WEEK, 0, 1440),
    ],
)
def test_hours_are_read(text: str, days: frozenset[int], begin: int, end: int) -> None:
    assert hours.parse(text) == (hours.Hours(days, begin, end),)
    assert hours.fault(text) == ""


def test_several_stand_beside_each_other() -> None:
    found = hours.parse("mon-thu 08:00-18:00, fri 08:00-14:00")
    assert [(len(one.days), one.end) for one in found] == [(4, 1080), (1, 840)]


@pytest.mark.parametrize(
    "text",
    ["", "8-18", "08:00", "08:00-18:60", "24:00-08:00", "08:00-08:00", "mon-fri", "08:00-18:00,", "x 08:00-18:00"],
)
def test_what_is_none_is_said_to_be(text: str) -> None:
    assert hours.fault(text).endswith(".")


def test_cron_is_told_apart() -> None:
    assert hours.is_cron("0 8,12 * * mon-fri") and hours.fault("0 8,12 * * mon-fri") == ""
    assert not hours.is_cron("mon 08:00-09:00, tue 08:00-09:00, 10:00-11:00")
    assert "0 to 23" in hours.fault("0 25 * * *")
