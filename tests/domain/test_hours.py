"""Hours in which an application is kept awake: by the clock on the wall, also in the nights that clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import hours
from ovd_saas.domain.hours import Hours

MADRID = ZoneInfo("Europe/Madrid")


def kept(text: str, zone: str = "Europe/Madrid", lasts: float = 300) -> Hours:
    found = hours.of(text, zone, lasts)
    assert found is not None
    return found


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """In Madrid, in 2026; 20 November is a Friday."""
    return datetime(2026, month, day, hour, minute, tzinfo=MADRID)


def test_a_stretch_holds_from_its_beginning_until_before_its_end() -> None:
    office = kept("mon-fri 08:00-18:00")
    assert [office.at(moment) is not None for moment in (at(20, 7, 59), at(20, 8), at(20, 17, 59), at(20, 18))] == [
        False, True, True, False,
    ]  # fmt: skip
    stretch = office.at(at(20, 12))
    assert stretch is not None and (stretch.begin, stretch.end) == (at(20, 8), at(20, 18))


def test_the_next_stretch_begins_on_the_next_day_that_has_one() -> None:
    office = kept("mon-fri 08:00-18:00, sat 10:00-12:00")
    assert office.after(at(20, 7)) == at(20, 8)
    assert office.after(at(20, 8)) == at(21, 10)
    assert office.after(at(21, 10)) == at(23, 8)


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    nights = kept("fri 22:00-06:00")
    assert nights.at(at(21, 5, 59)) is not None and nights.at(at(21, 6)) is None
    assert nights.at(at(20, 5)) is None


def test_what_joins_is_one_stretch_and_what_never_ends_is_always() -> None:
    joined = kept("08:00-12:00, 12:00-18:00").at(at(20, 9))
    assert joined is not None and joined.end == at(20, 18)
    always = kept("00:00-24:00")
    stretch = always.at(at(20, 9))
    assert stretch is not None and always.is_always(stretch)


def test_moments_of_cron_last_as_long_as_quiet_time() -> None:
    mornings = kept("0 8 * * 1-5", lasts=600)
    assert mornings.at(at(20, 8, 9)) is not None and mornings.at(at(20, 8, 10)) is None
    assert mornings.after(at(20, 8)) == at(23, 8)


@pytest.mark.parametrize(
    ("text", "day", "begin", "end"),
    [
        ("02:30-05:00", datetime(2026, 3, 29, 12), (1, 0), (3, 0)),  # noqa: DTZ001 - 02:30 is skipped: right after
        ("01:00-02:30", datetime(2026, 3, 29, 12), (0, 0), (1, 0)),  # noqa: DTZ001
        ("02:30-05:00", datetime(2026, 10, 25, 12), (0, 30), (4, 0)),  # noqa: DTZ001 - twice 02:30: from the first
        ("01:00-02:30", datetime(2026, 10, 25, 12), (23, 0), (1, 30)),  # noqa: DTZ001 - until the second
    ],
)
def test_in_the_nights_that_clocks_are_changed_hours_are_those_of_the_wall(
    text: str, day: datetime, begin: tuple[int, int], end: tuple[int, int]
) -> None:
    noon = day.replace(tzinfo=UTC)
    before = kept(text).after(noon - timedelta(hours=18))
    assert before is not None
    stretch = kept(text).at(before)
    assert stretch is not None
    assert ((stretch.begin.hour, stretch.begin.minute), (stretch.end.hour, stretch.end.minute)) == (begin, end)


def test_hours_that_a_clock_skips_as_a_whole_are_none() -> None:
    skipped = kept("02:15-02:45")
    assert skipped.after(at(29, 0, month=3)) == at(30, 2, 15, month=3)


@pytest.mark.parametrize(("text", "zone"), [("", "UTC"), ("always", "UTC"), ("08:00-18:00", "Mars/Olympus")])
def test_what_says_no_hours_is_none(text: str, zone: str) -> None:
    assert hours.of(text, zone, 300) is None


@settings(max_examples=100, deadline=None)
@given(
    minutes=st.integers(0, 366 * 24 * 60),
    text=st.sampled_from(["mon-fri 08:00-18:00", "22:00-06:00", "sat-sun 00:00-24:00", "02:10-02:50", "0 2 * * *"]),
    zone=st.sampled_from(["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_who_looks_at_any_moment_sees_a_beginning_that_has_been_or_one_that_comes(
    minutes: int, text: str, zone: str
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = kept(text, zone)
    stretch, after = found.at(now), found.after(now)
    assert after is not None and after > now
    assert stretch is None or stretch.begin <= now < stretch.end
    begun = found.at(after)
    assert begun is not None and begun.begin <= after


def test_a_clock_names_the_day_when_it_is_another_one() -> None:
    assert hours.clock(at(20, 18), MADRID, at(20, 9)) == "18:00 CET"
    assert hours.clock(at(23, 8), MADRID, at(20, 19)) == "Monday at 08:00 CET"
