"""What a person may do now, and the sentence when not; what people read."""

import pytest

from ovd_saas.domain import applications, health, learning, phase, service, status


def _legal(state: str, region: str) -> set[str]:
    return {a for a, why in applications.legal_actions(state, region, health.HEALTHY).items() if why is None}


@pytest.mark.parametrize(
    ("state", "region", "legal"),
    [
        (status.DRAFT, service.ASLEEP, {"enable", "retire"}),
        (status.ENABLED, service.ASLEEP, {"wake", "suspend"}),
        (status.ENABLED, service.WAKING, {"sleep", "suspend"}),
        (status.ENABLED, service.AWAKE, {"sleep", "suspend"}),
        (status.ENABLED, service.DRAINING, {"wake", "suspend"}),
        (status.SUSPENDED, service.ASLEEP, {"enable", "retire"}),
        (status.RETIRED, service.ASLEEP, set()),
    ],
)
def test_buttons_offer_exactly_the_legal_actions(state: str, region: str, legal: set[str]) -> None:
    assert _legal(state, region) == legal


def test_every_status_action_agrees_with_the_table() -> None:
    for state in status.STATUS.states:
        table = set(status.STATUS.legal(state))
        assert _legal(state, service.ASLEEP) - {"wake", "sleep"} == table


def test_a_refusal_says_why_and_what_to_do() -> None:
    why = applications.refusal(applications.RETIRE, status.ENABLED, service.AWAKE, health.HEALTHY)
    assert why == "It is enabled, and retiring is final. Suspend it first."
    why = applications.refusal(applications.WAKE, status.SUSPENDED, service.ASLEEP, health.HEALTHY)
    assert why == "It is suspended. Enable it first."


def test_without_a_ready_release_nothing_can_be_enabled_or_woken() -> None:
    why = applications.refusal("enable", status.DRAFT, service.ASLEEP, health.HEALTHY, has_release=False)
    assert why == "No release is ready. Push one first."
    assert applications.refusal("wake", status.ENABLED, service.ASLEEP, health.HEALTHY, has_release=False) == why


def test_a_faulty_application_can_be_woken_for_another_try() -> None:
    assert applications.refusal("wake", status.ENABLED, service.ASLEEP, health.FAULTY) is None


@pytest.mark.parametrize(
    ("region", "learns", "expected", "words"),
    [
        (service.ASLEEP, learning.RESTING, "idle", "asleep · idle"),
        (service.ASLEEP, learning.DUE, "idle", "asleep · idle"),
        (service.ASLEEP, learning.LEARNING, "learning", "asleep · learning"),
        (service.ASLEEP, learning.EVALUATING, "learning", "asleep · learning"),
        (service.WAKING, learning.RESTING, "executing", "awake · executing"),
        (service.DRAINING, learning.DUE, "executing", "awake · executing"),
        (service.AWAKE, learning.LEARNING, "executing", "awake · executing, learning in the background"),
    ],
)
def test_the_phase_is_what_people_see(region: str, learns: str, expected: str, words: str) -> None:
    assert phase.phase(region, learns) == expected
    assert phase.words(region, learns) == words
