"""Habits: what is used at about the same time of day will be used again; twice in vain, and it is no habit."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import habits
from ovd_saas.domain.habits import Expected, expected

MADRID = ZoneInfo("Europe/Madrid")


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """In Madrid, in 2026; 16 November is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=MADRID)


def on(*moments: datetime, now: datetime) -> Expected | None:
    return expected([moment.astimezone(UTC) for moment in sorted(moments)], MADRID, now=now)


WEEK = (at(16, 9), at(17, 9, 5), at(18, 8, 58), at(19, 9, 2))  # Monday to Thursday


def test_four_mornings_make_it_likely_on_the_fifth() -> None:
    found = on(*WEEK, now=at(19, 12))
    assert found is not None
    assert found.why == "Used on the last 4 weekdays at about 09:01."
    assert (found.at, found.until) == (at(20, 8, 56), at(20, 9, 20))


def test_three_of_four_are_enough_and_two_are_not() -> None:
    found = on(*WEEK[1:], now=at(19, 12))
    assert found is not None and found.why.startswith("Used on 3 of the last 4 weekdays at about")
    assert on(*WEEK[2:], now=at(19, 12)) is None


def test_weekends_are_no_weekdays() -> None:
    found = on(*WEEK, at(20, 9), now=at(20, 12))
    assert found is not None and found.at.astimezone(MADRID).day == 23


def test_what_is_used_every_day_is_used_on_saturday_when_it_was_a_week_ago() -> None:
    found = on(at(14, 9), at(15, 9), *WEEK, at(20, 9), now=at(20, 12))
    assert found is not None and found.why == "Used on the last 4 days at about 09:01."
    assert found.at.astimezone(MADRID).day == 21


def test_it_gives_up_when_nobody_came_twice() -> None:
    first, second, third = [on(*WEEK, now=at(day, 12)) for day in (19, 20, 23)]
    assert first is not None and first.at.astimezone(MADRID).day == 20
    assert second is not None and second.at.astimezone(MADRID).day == 23
    assert third is None


def test_a_day_of_the_week_is_a_habit_of_its_own() -> None:
    mondays = [at(26, 14, month=10), at(2, 14), at(9, 14, 10), at(16, 13, 55)]
    found = on(*mondays, now=at(16, 20))
    assert found is not None and found.why == "Used on the last 4 Mondays at about 14:00."
    assert found.at == at(23, 13, 53)


def test_times_of_day_that_differ_are_no_habit() -> None:
    assert on(at(16, 9), at(17, 10), at(18, 11), at(19, 12), now=at(19, 13)) is None


def test_who_is_used_all_day_long_does_not_begin_all_day_long() -> None:
    busy = [at(day, 9) + timedelta(minutes=15 * step) for day in (16, 17, 18, 19) for step in range(24)]
    found = on(*busy, now=at(19, 16))
    assert found is not None and found.at == at(20, 8, 58)


def test_nine_o_clock_stays_nine_o_clock_when_clocks_are_changed() -> None:
    before = [at(day, 9, month=10) for day in (20, 21, 22, 23)]  # clocks are changed on Sunday, the 25th
    found = on(*before, now=at(23, 12, month=10))
    assert found is not None
    later = on(*before, at(24, 9, month=10), at(25, 9, month=10), now=at(25, 12, month=10))
    assert later is not None and later.at == at(26, 8, 58, month=10)


def test_nobody_ever_came_and_nothing_is_expected() -> None:
    assert on(now=at(19, 12)) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 28 * 24 * 4), max_size=60, unique=True))
def test_what_is_expected_lies_ahead_and_has_a_reason(quarters: list[int]) -> None:
    now = at(19, 12)
    uses = sorted(now - timedelta(minutes=15 * quarter) for quarter in quarters)
    found = on(*uses, now=now)
    if found is not None:
        assert now < found.at < found.until <= found.at + timedelta(minutes=2 * habits.TOLERANCE * 2)
        assert found.why.endswith(".")
