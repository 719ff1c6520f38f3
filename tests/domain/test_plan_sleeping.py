"""The plan, of memory, of several processes, of hours and habits: one sentence per rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ovd_saas.domain import health, hours, learning, processes, service, status
from ovd_saas.domain.admission import Memory, Waiting
from ovd_saas.domain.demand import look_at
from ovd_saas.domain.habits import Expected
from ovd_saas.domain.plan import (
    Desired,
    DrainProcess,
    FailQueued,
    MakeRoom,
    Move,
    Observed,
    ProcessFacts,
    StartProcess,
    next_event,
    plan,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
BEFORE = NOW - timedelta(minutes=10)
OFFICE = hours.of("mon-fri 08:00-18:00", "UTC", 300)
BEGAN, ENDS = NOW.replace(hour=8), NOW.replace(hour=18)
TOMORROW = BEGAN + timedelta(days=1)

DESIRED = Desired(
    status=status.ENABLED, edition="new", sleep_after=300, on_wake="together", wake_asked=False, sleep_asked=False
)
ASLEEP = Observed(
    service=service.ASLEEP, learning=learning.RESTING, health=health.HEALTHY, queued=0, running=0, last_used_at=None,
    processes=(), start_failures=0, retry_at=None, runner_up=True, application=1, machine_mb=1024,
)  # fmt: skip
FULL = Memory(1024, held_mb=1024)
USED = replace(ASLEEP, queued=1, waiting_since=NOW)


def process(id_: str = "p1", state: str = processes.READY, **changes: object) -> ProcessFacts:
    facts = ProcessFacts(id_, state, "new", in_flight=0, started_at=BEFORE, condemned=False, lost=False)
    return replace(facts, **changes)  # type: ignore[arg-type]


AWAKE = replace(ASLEEP, service=service.AWAKE, processes=(process(),), last_used_at=NOW)


def short(desired: Desired, observed: Observed, now: datetime = NOW) -> list[str]:
    found = []
    for action in plan(desired, observed, now=now):
        match action:
            case Move(event=event):
                found.append(event)
            case StartProcess(edition=edition, is_extra=is_extra):
                found.append(f"start {edition}" + " more" * is_extra)
            case DrainProcess(process=id_):
                found.append(f"drain {id_}")
            case MakeRoom(needs_mb=needs, may_take=may_take):
                found.append(f"room {needs}" if may_take else f"wait for {needs}")
            case FailQueued(code=code):
                found.append(f"fail: {code}")
    return found


# memory


def test_what_fits_starts() -> None:
    assert short(DESIRED, replace(USED, memory=Memory(1024, held_mb=512))) == ["wake", "start new"]


def test_what_does_not_fit_sleeps_on_and_asks_for_room() -> None:
    waiting = replace(USED, memory=FULL)
    assert short(DESIRED, waiting) == ["room 512"]
    said = next_event(DESIRED, waiting, now=NOW).what
    assert said == "Waits for memory: needs 512 MB, 0 of 1,024 MB are free."


def test_what_woke_for_nothing_falls_asleep_with_the_reason() -> None:
    move, room = plan(DESIRED, replace(USED, service=service.WAKING, memory=FULL), now=NOW)
    assert isinstance(move, Move) and (move.event, move.reason[:16]) == ("fail", "Waits for memory")
    assert isinstance(room, MakeRoom)


def test_one_that_falls_asleep_goes_on_doing_so_while_memory_lacks() -> None:
    draining = replace(USED, service=service.DRAINING, memory=FULL)
    assert short(DESIRED, replace(draining, processes=(process(state=processes.DRAINING),))) == ["room 512"]
    assert short(DESIRED, draining) == ["sleep", "room 512"]


def test_what_never_fits_is_faulty_and_refuses_who_waits() -> None:
    large = replace(DESIRED, memory_mb=2048)
    assert short(large, replace(USED, memory=FULL)) == ["fault", "fail: too_large"]
    faulty = replace(USED, health=health.FAULTY)
    assert short(large, replace(faulty, memory=FULL)) == ["fail: too_large"]
    said = next_event(large, faulty, now=NOW).what
    assert "needs 2,048 MB of memory, and the machine has 1,024 MB" in said and "OVD_MEMORY_MB" in said


def test_who_waits_longer_comes_first() -> None:
    other = Waiting(2, 1024, NOW - timedelta(minutes=1))
    assert short(DESIRED, replace(USED, memory=Memory(1024, waiting=(other,)))) == ["room 512"]


def test_a_newer_release_waits_for_memory_while_the_current_one_is_in_use() -> None:
    swapping = replace(AWAKE, running=1, memory=FULL, machine_mb=4096)
    desired = replace(DESIRED, upcoming="next")
    assert short(desired, swapping) == ["room 512"]
    assert next_event(desired, swapping, now=NOW).what.startswith("The newer release or model waits for memory: needs")


def test_where_both_never_fit_the_current_release_sleeps_for_a_moment_to_give_way() -> None:
    desired = replace(DESIRED, upcoming="next", memory_mb=1024, upcoming_memory_mb=1024)
    assert short(desired, replace(AWAKE, running=1, memory=FULL)) == ["drain", "drain p1"]
    draining = replace(USED, service=service.DRAINING, processes=(process(state=processes.DRAINING),))
    assert short(desired, draining) == [], "who comes now waits for the newer one"
    assert short(desired, replace(draining, processes=())) == ["sleep"]


def test_an_upcoming_release_that_never_fits_is_left_to_fail() -> None:
    desired = replace(DESIRED, upcoming="next", upcoming_memory_mb=4096)
    assert short(desired, replace(AWAKE, memory=FULL)) == ["start next"]


# several processes

MANY = replace(DESIRED, max_replicas=4)
CROWD = replace(AWAKE, queued=5, running=1, waiting_since=NOW - timedelta(seconds=1))


def test_as_many_processes_start_as_the_queue_asks_for() -> None:
    assert short(MANY, CROWD) == ["start new more"] * 3
    assert short(replace(MANY, concurrency=4), CROWD) == ["start new more"]
    assert short(DESIRED, CROWD) == []


def test_a_moment_in_the_queue_is_no_reason() -> None:
    assert short(MANY, replace(CROWD, waiting_since=NOW)) == []
    fresh = (process(ready_at=NOW),)
    assert short(MANY, replace(CROWD, processes=fresh)) == [], "it has had no time to help"


def test_who_waited_for_a_place_and_was_served_is_a_reason_too() -> None:
    assert short(MANY, replace(AWAKE, waited_seconds=0.5)) == ["start new more"]


def test_no_more_start_while_one_is_starting_or_a_release_is_changing() -> None:
    assert short(MANY, replace(CROWD, processes=(process(), process("p2", processes.STARTING)))) == []
    assert short(replace(MANY, upcoming="next"), CROWD) == ["start next"]


def test_of_those_that_are_too_many_for_the_memory_some_start() -> None:
    assert short(MANY, replace(CROWD, memory=Memory(2048, held_mb=1024))) == ["start new more"] * 2 + ["room 512"]


def test_a_process_that_nobody_needs_beside_others_is_drained() -> None:
    rows = (process("a", used_at=NOW), process("b"), process("c", used_at=NOW - timedelta(seconds=9)))
    assert short(MANY, replace(AWAKE, processes=rows)) == ["drain b"]
    assert short(MANY, replace(AWAKE, queued=1, waiting_since=NOW, processes=rows)) == []


def test_of_several_that_idle_one_stays_until_quiet_time_is_over() -> None:
    assert short(MANY, replace(AWAKE, processes=(process("a"), process("b")))) == ["drain b"]


# hours

KEPT = replace(DESIRED, hours=OFFICE)


def test_it_wakes_when_its_hours_begin() -> None:
    due = replace(ASLEEP, wakes_at=BEGAN)
    wake = plan(KEPT, due, now=BEGAN)[0]
    assert wake == Move("service", "wake", "Kept awake until 18:00 UTC.")
    assert short(KEPT, replace(ASLEEP, wakes_at=TOMORROW)) == []


def test_it_does_not_sleep_in_its_hours_and_does_afterwards() -> None:
    quiet = replace(AWAKE, last_used_at=BEFORE, wakes_at=BEGAN)
    assert short(KEPT, quiet) == []
    happens = next_event(KEPT, quiet, now=NOW)
    assert (happens.what, happens.at) == ("Kept awake until 18:00 UTC.", ENDS)
    assert short(KEPT, quiet, now=ENDS) == ["drain", "drain p1"]


def test_people_read_when_it_wakes() -> None:
    happens = next_event(KEPT, replace(ASLEEP, wakes_at=TOMORROW), now=ENDS)
    assert (happens.what, happens.at) == ("Wakes on Tuesday at 08:00 UTC.", TOMORROW)
    early = NOW.replace(hour=7)
    assert next_event(KEPT, ASLEEP, now=early).what == "Wakes at 08:00 UTC."


def test_a_person_who_puts_it_to_sleep_in_its_hours_is_obeyed_until_they_begin_again() -> None:
    asked = replace(KEPT, sleep_asked=True)
    assert short(asked, replace(AWAKE, wakes_at=BEGAN)) == ["drain", "drain p1"]
    at = look_at(asked, replace(ASLEEP, service=service.DRAINING, wakes_at=BEGAN), now=NOW)
    assert at == TOMORROW
    asleep = replace(ASLEEP, wakes_at=at)
    assert short(KEPT, asleep) == [] and look_at(KEPT, asleep, now=NOW) == TOMORROW


def test_one_that_died_in_its_hours_wakes_again() -> None:
    assert look_at(KEPT, replace(AWAKE, wakes_at=BEGAN), now=NOW) == BEGAN
    assert short(KEPT, replace(ASLEEP, wakes_at=BEGAN)) == ["wake", "start new"]


def test_hours_that_passed_while_nobody_looked_wake_nobody() -> None:
    late = replace(ASLEEP, wakes_at=BEGAN)
    assert short(KEPT, late, now=ENDS) == []
    assert look_at(KEPT, late, now=ENDS) == TOMORROW


def test_only_what_is_enabled_has_hours() -> None:
    assert look_at(replace(KEPT, status=status.SUSPENDED), ASLEEP, now=NOW) is None
    assert short(replace(KEPT, status=status.SUSPENDED), replace(ASLEEP, wakes_at=BEGAN)) == []


# habits

WHY = "Used on the last 4 weekdays at about 12:05."
EXPECTED = Expected(NOW, NOW + timedelta(minutes=20), WHY)
DUE = replace(ASLEEP, foreseen=EXPECTED, wakes_at=NOW)


def test_it_is_woken_ahead_of_a_use_that_is_expected_and_takes_no_memory_from_others_for_it() -> None:
    assert plan(DESIRED, DUE, now=NOW)[0] == Move("service", "wake", WHY)
    assert short(DESIRED, replace(DUE, memory=FULL)) == ["wait for 512"]
    before = NOW - timedelta(minutes=5)
    assert short(DESIRED, DUE, now=before) == []
    assert next_event(DESIRED, DUE, now=before).what == f"Wakes at 12:00 UTC. {WHY}"


@pytest.mark.parametrize("after", [0, 60, 300])
def test_when_nobody_came_it_sleeps_again_and_says_so(after: float) -> None:
    woken = replace(AWAKE, last_used_at=BEFORE, foreseen=EXPECTED, processes=(process(started_at=NOW),))
    desired = replace(DESIRED, sleep_after=after)
    assert short(desired, woken, now=NOW + timedelta(minutes=19)) == []
    drain = plan(desired, woken, now=EXPECTED.until)[0]
    assert drain == Move("service", "drain", f"Nobody came. {WHY}")


def test_when_somebody_came_quiet_time_counts_as_ever() -> None:
    used = replace(AWAKE, last_used_at=NOW + timedelta(minutes=1), foreseen=EXPECTED)
    assert short(DESIRED, used, now=NOW + timedelta(minutes=7)) == ["drain", "drain p1"]


def test_no_quiet_time_means_that_it_sleeps_at_once() -> None:
    at_once = replace(DESIRED, sleep_after=0)
    assert plan(at_once, AWAKE, now=NOW)[0] == Move("service", "drain", "Nobody uses it any more.")
    assert short(at_once, replace(AWAKE, queued=1, waiting_since=NOW)) == []
    busy = next_event(at_once, replace(AWAKE, running=1), now=NOW)
    assert busy.what == "Falls asleep as soon as nobody uses it."
