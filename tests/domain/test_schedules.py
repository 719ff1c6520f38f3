"""Schedules on the nights in which clocks are changed: nothing twice, nothing missed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd import cron
from ovd_saas.domain.schedules import BadSchedule, Schedule

MADRID, NEW_YORK, LORD_HOWE = "Europe/Madrid", "America/New_York", "Australia/Lord_Howe"
NIGHTS = {  # the night before, by the local calendar; clocks change between that noon and the next
    "Madrid, an hour is skipped": (MADRID, datetime(2026, 3, 28, 12)),  # noqa: DTZ001
    "Madrid, an hour is repeated": (MADRID, datetime(2026, 10, 24, 12)),  # noqa: DTZ001
    "New York, an hour is skipped": (NEW_YORK, datetime(2026, 3, 7, 12)),  # noqa: DTZ001
    "New York, an hour is repeated": (NEW_YORK, datetime(2026, 10, 31, 12)),  # noqa: DTZ001
    "Lord Howe, half an hour is skipped": (LORD_HOWE, datetime(2026, 10, 3, 12)),  # noqa: DTZ001
    "Lord Howe, half an hour is repeated": (LORD_HOWE, datetime(2026, 4, 4, 12)),  # noqa: DTZ001
}


def moments(expression: str, zone: str, since: datetime, until: datetime, step: timedelta) -> list[datetime]:
    """What somebody who looks every `step` finds, going on from the last look as the triggers do."""
    schedule = Schedule(expression, zone)
    found, looked = [], since
    while (now := min(looked + step, until)) > looked:
        passed = schedule.passed(looked, now)
        if passed is not None:
            assert looked < passed.first <= passed.last <= now
            found.append(passed.last)
        looked = now
    return found


def night(which: str) -> tuple[str, datetime, datetime]:
    zone, noon = NIGHTS[which]
    begin = noon.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    end = (noon + timedelta(days=1)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return zone, begin, end


@pytest.mark.parametrize("which", NIGHTS)
@pytest.mark.parametrize("minutes", [1, 7, 60, 720])
@pytest.mark.parametrize(
    "expression", ["0 2 * * *", "30 2 * * *", "15 1 * * *", "45 1 * * *", "59 1 * * *", "0 3 * * *"]
)
def test_a_nightly_schedule_happens_once_each_night(which: str, minutes: int, expression: str) -> None:
    zone, begin, end = night(which)
    assert len(moments(expression, zone, begin, end, timedelta(minutes=minutes))) == 1


@pytest.mark.parametrize("which", NIGHTS)
def test_an_hourly_schedule_goes_by_the_hours_that_pass(which: str) -> None:
    zone, begin, end = night(which)
    found = moments("*/30 * * * *", zone, begin, end, timedelta(minutes=1))
    assert len(found) == (end - begin) / timedelta(minutes=30)
    assert {b - a for a, b in pairwise(found)} == {timedelta(minutes=30)}


def test_what_falls_into_the_skipped_hour_happens_right_after_it() -> None:
    assert Schedule("30 2 * * *", MADRID).after(datetime(2026, 3, 29, tzinfo=UTC)) == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )
    assert Schedule("30 2 * * *", NEW_YORK).after(datetime(2026, 3, 8, tzinfo=UTC)) == datetime(
        2026, 3, 8, 7, tzinfo=UTC
    )
    lord_howe = Schedule("15 2 * * *", LORD_HOWE).after(datetime(2026, 10, 3, 14, tzinfo=UTC))
    assert lord_howe == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)


def test_several_times_in_the_skipped_hour_happen_once() -> None:
    schedule = Schedule("10,20,40 2 * * *", MADRID)
    first = schedule.after(datetime(2026, 3, 29, tzinfo=UTC))
    assert first == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert schedule.after(first) == datetime(2026, 3, 30, 0, 10, tzinfo=UTC)


def test_what_falls_into_the_repeated_hour_happens_the_first_time_only() -> None:
    schedule = Schedule("45 2 * * *", MADRID)
    first = schedule.after(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert first == datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    second_half_past_two = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert schedule.passed(second_half_past_two, second_half_past_two + timedelta(hours=1)) is None


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    which=st.sampled_from(sorted(NIGHTS)),
    minute=st.integers(0, 59),
    hour=st.integers(0, 3),
    steps=st.lists(st.integers(1, 200), min_size=1, max_size=8),
)
def test_whenever_one_looks_a_time_of_the_night_is_found_once(
    which: str, minute: int, hour: int, steps: list[int]
) -> None:
    """Looks at random moments, also in the midst of the repeated hour, find one run a night, none late."""
    zone, begin, end = night(which)
    schedule = Schedule(f"{minute} {hour} * * *", zone)
    found, looked, turn = [], begin, 0
    while looked < end:
        now = min(looked + timedelta(minutes=steps[turn % len(steps)]), end)
        passed = schedule.passed(looked, now)
        found += [passed.first] if passed else []
        looked, turn = now, turn + 1
    assert len(found) == 1
    assert found[0] == schedule.after(begin)


def test_what_is_no_schedule_is_refused() -> None:
    for expression, zone in (("60 * * * *", "UTC"), ("x", "UTC"), ("* * * * *", "Mars/Base"), ("* * * * *", "../etc")):
        with pytest.raises(BadSchedule):
            Schedule(expression, zone)


def test_a_minute_schedule_that_was_missed_for_years_is_found_at_once() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    passed = Schedule("* * * * *", MADRID).passed(datetime(2016, 1, 1, tzinfo=UTC), now)
    assert passed is not None and passed.is_more
    assert (passed.first, passed.last) == (datetime(2016, 1, 1, 0, 1, tzinfo=UTC), now)


TERMS = [
    "*",
    "0",
    "5",
    "7",
    "8",
    "12",
    "13",
    "24",
    "30",
    "31",
    "32",
    "60",
    "*/5",
    "*/0",
    "1-5",
    "5-1",
    "1-5/2",
    "3/4",
    "1,2",
]
TERMS += [
    "L",
    "LW",
    "5L",
    "L/2",
    "1#3",
    "1#6",
    "mon",
    "MON-FRI",
    "feb",
    "JAN,MAR",
    "",
    "-",
    "/",
    "x",
    "٣",
    "1-",
    "#1",
    "5L/2",
]


def test_the_kit_refuses_the_schedules_that_the_platform_cannot_read() -> None:
    """What `ovd check` says and what is done with it are two programs; they have to agree."""
    for place in range(5):
        for term in TERMS:
            expression = " ".join([*"****"[:place], term or "?", *"****"[place:]])
            assert (cron.fault(expression) == "") == _is_read(expression), expression
    for day in ("29", "30", "31", "30,31", "*/31", "28-31", "L"):
        for month in ("2", "4", "2,4", "1", "*", "*/2", "FEB"):
            for weekday in ("*", "1"):
                expression = f"0 0 {day} {month} {weekday}"
                assert (cron.fault(expression) == "") == _is_read(expression), expression


def _is_read(expression: str) -> bool:
    try:
        Schedule(expression, "UTC")
    except BadSchedule:
        return False
    return True
