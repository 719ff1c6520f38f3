"""The plan: one sentence per rule, and what holds for every fact there may be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import health, learning, processes, service, status
from ovd_saas.domain.plan import (
    Desired,
    DrainProcess,
    FailQueued,
    ForgetProcess,
    KillProcess,
    Move,
    Observed,
    ProcessFacts,
    StartProcess,
    next_event,
    plan,
    retry_delay,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=10)
SOON = NOW + timedelta(seconds=5)

DESIRED = Desired(
    status=status.ENABLED, edition="new", sleep_after=300, on_wake="together", wake_asked=False, sleep_asked=False
)
ASLEEP = Observed(
    service=service.ASLEEP,
    learning=learning.RESTING,
    health=health.HEALTHY,
    queued=0,
    running=0,
    last_used_at=None,
    processes=(),
    start_failures=0,
    retry_at=None,
    runner_up=True,
)


def _process(id_: str = "p1", state: str = processes.READY, **changes: object) -> ProcessFacts:
    started_at = NOW if state == processes.STARTING else EARLIER
    facts = ProcessFacts(id_, state, "new", in_flight=0, started_at=started_at, condemned=False, lost=False)
    return replace(facts, **changes)  # type: ignore[arg-type]


AWAKE = replace(ASLEEP, service=service.AWAKE, processes=(_process(),), last_used_at=NOW)
QUIET = replace(AWAKE, last_used_at=EARLIER)
WAKING = replace(ASLEEP, service=service.WAKING, queued=1)
DRAINING = replace(ASLEEP, service=service.DRAINING)


def _events(desired: Desired, observed: Observed) -> list[str]:
    """A plan in short: "wake", "start new", "drain p1" …"""
    return [_short(action) for action in plan(desired, observed, now=NOW)]


def _short(action: object) -> str:
    match action:
        case Move(region=region, event=event):
            return f"{region}: {event}"
        case StartProcess(edition=edition):
            return f"start {edition}"
        case DrainProcess(process=id_):
            return f"drain {id_}"
        case KillProcess(process=id_):
            return f"kill {id_}"
        case ForgetProcess(process=id_):
            return f"forget {id_}"
        case FailQueued(code=code):
            return f"fail queued: {code}"
    raise TypeError(action)


def test_nobody_wants_anything_and_nothing_happens() -> None:
    assert _events(DESIRED, ASLEEP) == []
    assert _events(DESIRED, AWAKE) == []


def test_a_queued_execution_wakes_it() -> None:
    assert _events(DESIRED, replace(ASLEEP, queued=2)) == ["service: wake", "start new"]
    assert plan(DESIRED, replace(ASLEEP, queued=2), now=NOW)[0] == Move("service", "wake", "2 executions wait.")


def test_a_person_wakes_it() -> None:
    assert _events(replace(DESIRED, wake_asked=True), ASLEEP) == ["service: wake", "start new"]


def test_without_a_ready_release_it_waits() -> None:
    assert _events(replace(DESIRED, edition=None), replace(ASLEEP, queued=1)) == []


def test_it_is_awake_when_its_process_is_ready() -> None:
    assert _events(DESIRED, replace(WAKING, processes=(_process(state=processes.STARTING),))) == []
    assert _events(DESIRED, replace(WAKING, processes=(_process(),))) == ["service: ready"]


def test_a_start_that_appcore_did_not_get_to_is_made_up_for() -> None:
    assert _events(DESIRED, WAKING) == ["start new"]


def test_a_failed_start_is_tried_again_after_a_pause() -> None:
    failed = replace(WAKING, start_failures=1, retry_at=SOON)
    assert _events(DESIRED, failed) == ["service: fail"]
    assert _events(DESIRED, replace(failed, service=service.ASLEEP)) == []
    later = replace(failed, service=service.ASLEEP, retry_at=NOW)
    assert _events(DESIRED, later) == ["service: wake", "start new"]


def test_pauses_grow_and_stay_bounded() -> None:
    assert [retry_delay(n).total_seconds() for n in (0, 1, 2, 3, 4, 5, 99)] == [0, 1, 4, 15, 60, 300, 300]


def test_after_too_many_failed_starts_it_is_faulty_and_what_waits_fails_with_the_reason() -> None:
    broken = replace(WAKING, start_failures=3, retry_at=SOON)
    assert _events(DESIRED, broken) == ["service: fail", "health: fault", "fail queued: faulty"]
    failing = plan(DESIRED, broken, now=NOW)[-1]
    assert isinstance(failing, FailQueued)
    assert "failed to start 3 times in a row" in failing.reason


def test_a_faulty_application_tries_once_more_when_somebody_comes_after_the_pause() -> None:
    faulty = replace(ASLEEP, health=health.FAULTY, start_failures=3, retry_at=NOW, queued=1)
    assert _events(DESIRED, faulty) == ["service: wake", "start new"]


def test_a_faulty_application_recovers_when_its_failures_no_longer_count() -> None:
    assert _events(DESIRED, replace(AWAKE, health=health.FAULTY)) == ["health: recover"]


def test_quiet_time_puts_it_to_sleep() -> None:
    assert _events(DESIRED, QUIET) == ["service: drain", "drain p1"]
    ending = replace(DRAINING, processes=(_process(state=processes.DRAINING),))
    assert _events(DESIRED, ending) == []
    assert _events(DESIRED, DRAINING) == ["service: sleep"]


@pytest.mark.parametrize("use", [{"queued": 1}, {"running": 1}, {"processes": (_process(in_flight=1),)}])
def test_it_does_not_fall_asleep_while_somebody_uses_it(use: dict[str, object]) -> None:
    assert _events(DESIRED, replace(QUIET, **use)) == []  # type: ignore[arg-type]


def test_a_freshly_woken_one_stays_for_its_quiet_time_although_nobody_used_it() -> None:
    fresh = replace(QUIET, last_used_at=None, processes=(_process(started_at=NOW),))
    assert _events(DESIRED, fresh) == []


def test_somebody_who_comes_while_it_falls_asleep_wakes_it() -> None:
    ending = replace(DRAINING, queued=1, processes=(_process(state=processes.DRAINING, in_flight=1),))
    assert _events(DESIRED, ending) == ["service: wake", "start new"]


def test_a_person_puts_it_to_sleep_and_those_who_wait_wake_it_only_after_that() -> None:
    asked = replace(DESIRED, sleep_asked=True)
    assert _events(asked, replace(AWAKE, queued=1)) == ["service: drain", "drain p1"]
    assert _events(asked, replace(DRAINING, queued=1)) == ["service: sleep"]
    assert _events(DESIRED, replace(ASLEEP, queued=1)) == ["service: wake", "start new"]


def test_suspended_drains_what_runs_starts_nothing_and_keeps_what_waits() -> None:
    suspended = replace(DESIRED, status=status.SUSPENDED)
    assert _events(suspended, replace(AWAKE, queued=3)) == ["service: drain", "drain p1"]
    assert _events(suspended, replace(ASLEEP, queued=3)) == []


def test_retired_fails_what_waits() -> None:
    assert _events(replace(DESIRED, status=status.RETIRED), replace(ASLEEP, queued=3)) == ["fail queued: retired"]


def test_a_newer_release_is_started_first_and_takes_over_when_it_is_ready() -> None:
    old = _process("old", edition="old", in_flight=1)
    new = _process("new", processes.STARTING)
    assert _events(DESIRED, replace(AWAKE, processes=(old,))) == ["start new"]
    assert _events(DESIRED, replace(AWAKE, processes=(old, new))) == []
    assert _events(DESIRED, replace(AWAKE, processes=(old, _process("new")))) == ["drain old"]


def test_a_newer_release_that_does_not_start_leaves_the_old_one_serving() -> None:
    old = _process("old", edition="old")
    broken = replace(AWAKE, processes=(old,), queued=1, start_failures=3, retry_at=SOON)
    assert _events(DESIRED, broken) == ["health: fault"]


def test_of_two_processes_of_one_release_the_younger_is_drained() -> None:
    twins = (_process("b", started_at=NOW), _process("a"))
    assert _events(DESIRED, replace(AWAKE, processes=twins)) == ["drain b"]


def test_a_lost_process_is_forgotten_and_those_who_wait_wake_it_again() -> None:
    lost = replace(AWAKE, queued=1, processes=(_process(lost=True),))
    assert _events(DESIRED, lost) == ["forget p1", "service: lose"]
    assert _events(DESIRED, replace(lost, service=service.ASLEEP, processes=())) == ["service: wake", "start new"]


def test_a_condemned_process_is_killed_and_replaced_when_it_is_gone() -> None:
    condemned = replace(AWAKE, queued=1, processes=(_process(condemned=True),))
    assert _events(DESIRED, condemned) == ["kill p1"]


def test_a_process_that_takes_too_long_to_start_is_killed() -> None:
    slow = replace(WAKING, processes=(_process(state=processes.STARTING, started_at=EARLIER),))
    assert _events(replace(DESIRED, start_within=60), slow) == ["kill p1"]


def test_without_a_runner_nothing_is_started_drained_or_killed() -> None:
    assert _events(DESIRED, replace(ASLEEP, queued=1, runner_up=False)) == []
    assert _events(DESIRED, replace(WAKING, runner_up=False)) == ["service: fail"]
    assert "No runner is up" in plan(DESIRED, replace(WAKING, runner_up=False), now=NOW)[0].reason  # type: ignore[union-attr]
    assert _events(DESIRED, replace(AWAKE, runner_up=False, processes=(_process(condemned=True),))) == []


def test_a_process_that_outlived_the_state_is_drained() -> None:
    assert _events(DESIRED, replace(ASLEEP, processes=(_process(),))) == ["drain p1"]


@pytest.mark.parametrize(
    ("on_wake", "expected"),
    [
        ("together", ["service: wake", "start new"]),
        ("yield", ["learning: yield"]),
        ("finish", []),
    ],
)
def test_the_manifest_says_who_gives_way_when_a_user_comes_while_it_learns(on_wake: str, expected: list[str]) -> None:
    busy = replace(ASLEEP, queued=1, learning=learning.LEARNING)
    assert _events(replace(DESIRED, on_wake=on_wake), busy) == expected


def test_learning_pauses_when_suspended_and_is_cancelled_when_retired() -> None:
    learns = replace(ASLEEP, learning=learning.LEARNING)
    assert _events(replace(DESIRED, status=status.SUSPENDED), learns) == ["learning: yield"]
    assert _events(replace(DESIRED, status=status.RETIRED), learns) == ["learning: cancel"]


@pytest.mark.parametrize(
    ("desired", "observed", "what", "at"),
    [
        (DESIRED, ASLEEP, "Wakes when somebody uses it.", None),
        (DESIRED, replace(ASLEEP, queued=1), "Wakes now.", None),
        (DESIRED, replace(ASLEEP, queued=1, runner_up=False), "Wakes as soon as a runner is back.", None),
        (DESIRED, replace(ASLEEP, queued=1, start_failures=1, retry_at=SOON), "Tries to start again.", SOON),
        (DESIRED, WAKING, "Is awake as soon as its process is ready.", None),
        (DESIRED, AWAKE, "Falls asleep, if nobody uses it.", NOW + timedelta(seconds=300)),
        (DESIRED, replace(AWAKE, running=1), "Falls asleep after 300 seconds of quiet.", None),
        (DESIRED, replace(DRAINING, running=2), "Falls asleep when 2 executions finished.", None),
        (replace(DESIRED, status="draft"), ASLEEP, "Opens when a release is ready and a person enables it.", None),
        (
            replace(DESIRED, status="suspended"),
            replace(ASLEEP, queued=1),
            "Nothing, until a person enables it. 1 execution waits until then.",
            None,
        ),
        (replace(DESIRED, status="retired"), ASLEEP, "Nothing: it is retired.", None),
    ],
)
def test_people_read_what_happens_next_and_when(
    desired: Desired, observed: Observed, what: str, at: datetime | None
) -> None:
    happens = next_event(desired, observed, now=NOW)
    assert (happens.what, happens.at) == (what, at)


PROCESSES = st.lists(
    st.builds(
        ProcessFacts,
        id=st.just(""),
        state=st.sampled_from(processes.LIVING),
        edition=st.sampled_from(["old", "new"]),
        in_flight=st.integers(0, 2),
        started_at=st.sampled_from([EARLIER, NOW]),
        condemned=st.booleans(),
        lost=st.booleans(),
    ),
    max_size=3,
).map(lambda found: tuple(replace(p, id=f"p{i}") for i, p in enumerate(found)))

FACTS = st.tuples(
    st.builds(
        Desired,
        status=st.sampled_from(list(status.STATUS.states)),
        edition=st.sampled_from([None, "new"]),
        sleep_after=st.just(300.0),
        on_wake=st.sampled_from(learning.POLICIES),
        wake_asked=st.booleans(),
        sleep_asked=st.booleans(),
    ),
    st.builds(
        Observed,
        service=st.sampled_from(list(service.SERVICE.states)),
        learning=st.sampled_from(list(learning.LEARNING_REGION.states)),
        health=st.sampled_from(list(health.HEALTH.states)),
        queued=st.integers(0, 2),
        running=st.integers(0, 2),
        last_used_at=st.sampled_from([None, EARLIER, NOW]),
        processes=PROCESSES,
        start_failures=st.integers(0, 4),
        retry_at=st.sampled_from([None, NOW, SOON]),
        runner_up=st.booleans(),
    ),
)


@settings(max_examples=400)
@given(FACTS)
def test_nothing_starts_unless_it_is_enabled_and_may(facts: tuple[Desired, Observed]) -> None:
    desired, observed = facts
    for action in plan(desired, observed, now=NOW):
        if isinstance(action, StartProcess):
            assert desired.status == status.ENABLED
            assert observed.runner_up
            assert observed.retry_at is None or observed.retry_at <= NOW
            assert action.edition == desired.edition


@settings(max_examples=400)
@given(FACTS)
def test_every_move_is_legal_and_every_action_says_why(facts: tuple[Desired, Observed]) -> None:
    desired, observed = facts
    tables = {"service": service.SERVICE, "learning": learning.LEARNING_REGION, "health": health.HEALTH}
    for action in plan(desired, observed, now=NOW):
        if isinstance(action, Move):
            assert tables[action.region].target(getattr(observed, action.region), action.event) is not None
        if not isinstance(action, StartProcess):
            assert action.reason.strip().endswith((".", "!"))


@settings(max_examples=400)
@given(FACTS)
def test_doing_the_plan_again_and_again_comes_to_rest(facts: tuple[Desired, Observed]) -> None:
    desired, observed = facts
    for _ in range(12):
        actions = plan(desired, observed, now=NOW)
        if not actions:
            return
        for action in actions:
            desired, observed = _done(desired, observed, action)
    pytest.fail(f"still {[_short(a) for a in actions]} for {desired} and {observed}")


@settings(max_examples=400)
@given(FACTS)
def test_there_is_always_a_sentence_about_what_happens_next(facts: tuple[Desired, Observed]) -> None:
    assert next_event(*facts, now=NOW).what.endswith(".")


def _done(desired: Desired, observed: Observed, action: object) -> tuple[Desired, Observed]:
    """The facts after an action, when all goes well and starting takes no time."""
    rows = {p.id: p for p in observed.processes}
    match action:
        case Move(region=region, event=event):
            tables = {"service": service.SERVICE, "learning": learning.LEARNING_REGION, "health": health.HEALTH}
            target = tables[region].follow(getattr(observed, region), event)
            observed = replace(observed, **{region: target})
            if target == service.ASLEEP:
                desired = replace(desired, sleep_asked=False)
            if event in (service.READY, service.DRAIN, health.FAULT):
                desired = replace(desired, wake_asked=False)
            return desired, observed
        case StartProcess(edition=edition):
            id_ = f"s{len(rows)}"
            rows[id_] = _process(id_, edition=edition, started_at=NOW)
            observed = replace(observed, start_failures=0, retry_at=None)
        case DrainProcess(process=id_) | KillProcess(process=id_) | ForgetProcess(process=id_):
            rows.pop(id_)
        case FailQueued():
            observed = replace(observed, queued=0)
    return desired, replace(observed, processes=tuple(rows.values()))


def test_an_upcoming_release_is_started_beside_the_current_one_which_goes_on_serving() -> None:
    desired = replace(DESIRED, upcoming="next")
    assert plan(desired, AWAKE, now=NOW) == (StartProcess("next"),)
    beside = replace(AWAKE, processes=(_process(), _process("p2", processes.STARTING, edition="next")))
    assert plan(desired, beside, now=NOW) == ()
    assert next_event(desired, beside, now=NOW).what.startswith("The newer release or model takes over")


def test_the_process_before_is_drained_a_moment_after_the_next_one_took_over() -> None:
    def actions(ready_at: datetime) -> tuple[object, ...]:
        took_over = replace(_process("p2"), ready_at=ready_at)
        return plan(DESIRED, replace(AWAKE, processes=(_process(edition="old"), took_over)), now=NOW)

    assert actions(NOW - timedelta(seconds=0.9)) == ()
    assert [type(action) for action in actions(NOW - timedelta(seconds=1))] == [DrainProcess]


def test_a_process_of_an_upcoming_release_that_was_dropped_is_drained() -> None:
    beside = replace(AWAKE, processes=(_process(), _process("p2", processes.STARTING, edition="next")))
    assert [type(action) for action in plan(DESIRED, beside, now=NOW)] == [DrainProcess]
