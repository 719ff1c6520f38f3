"""The tables: each is consistent, and answers questions about itself."""

import pytest

from ovd_saas.domain import executions, models, service, status
from ovd_saas.domain.layouts import LAYOUTS
from ovd_saas.domain.machine import IllegalTransition, Machine, Transition

MACHINES = {name: layout.machine for name, layout in LAYOUTS.items()}


def _machine(*rows: tuple[str, str, str], final: tuple[str, ...] = ()) -> Machine:
    names = dict.fromkeys(name for source, _, target in rows for name in (source, target))
    return Machine(
        "thing", rows[0][0], final, dict.fromkeys(names, "who"), tuple(Transition(*r, "by", "says") for r in rows)
    )


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_says_who_moves_it_on_and_every_row_says_what_it_means(name: str) -> None:
    machine = MACHINES[name]
    assert all(machine.states.values())
    assert all(row.by and row.says.endswith((".", "…")) for row in machine.transitions)
    assert machine.reachable(machine.initial) == set(machine.states)


@pytest.mark.parametrize("name", [n for n, m in MACHINES.items() if m.final and n != "model version"])
def test_a_life_that_ends_can_end_from_every_state(name: str) -> None:
    machine = MACHINES[name]
    assert all(machine.is_path(state, machine.final) for state in machine.states)


def test_a_model_version_that_was_live_can_be_live_again() -> None:
    assert models.MODEL.is_path(models.RETIRED, [models.ACTIVE])
    assert models.MODEL.is_final(models.REJECTED)


def test_a_machine_answers_what_an_event_does() -> None:
    assert service.SERVICE.target(service.ASLEEP, service.WAKE) == service.WAKING
    assert service.SERVICE.target(service.ASLEEP, service.READY) is None
    assert service.SERVICE.legal(service.DRAINING) == (service.WAKE, service.SLEEP)
    assert service.SERVICE.sources(service.DRAIN) == (service.WAKING, service.AWAKE)
    assert executions.EXECUTION.is_final(executions.EXPIRED)


def test_an_illegal_event_is_refused_with_what_would_be_legal() -> None:
    with pytest.raises(
        IllegalTransition, match=r"status: 'retire' is not possible in state 'enabled'\. Possible: suspend"
    ):
        status.STATUS.follow(status.ENABLED, status.RETIRE)
    with pytest.raises(IllegalTransition, match="nothing, it is final"):
        status.STATUS.follow(status.RETIRED, status.ENABLE)


def test_an_unknown_state_is_an_error_and_not_a_state_without_events() -> None:
    with pytest.raises(KeyError, match="service has no state 'awoken'"):
        service.SERVICE.legal("awoken")


@pytest.mark.parametrize(
    ("rows", "final", "problem"),
    [
        ([("a", "go", "b"), ("a", "go", "a"), ("b", "go", "a")], (), "'go' in 'a' is defined twice"),
        ([("a", "go", "b")], (), "nothing leaves"),
        ([("a", "go", "b"), ("b", "go", "a")], ("b",), "nothing leaves"),
        ([("a", "go", "b"), ("c", "go", "b")], ("b",), "no way leads from 'a' to"),
    ],
)
def test_a_table_that_contradicts_itself_cannot_be_made(
    rows: list[tuple[str, str, str]], final: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        _machine(*rows, final=final)
