"""Applications: draft, act."""

from datetime import UTC, datetime

import pytest

import makers
from ovd_saas.appcore import applications
from ovd_saas.store.records import Transition

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def test_a_draft_begins_its_timeline() -> None:
    made = applications.draft(organisation=makers.organisation(), name="flow", by="user:ana", by_id=None, now=NOW)
    assert (made.status, made.service, made.address) == ("draft", "asleep", "acme/flow")
    assert Transition.objects.get(application=made).actor == "user:ana"


@pytest.mark.parametrize("name", ["", "a", "Flow", "flow_1", "-flow", "flow-", "f" * 41, "../flow"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name: str) -> None:
    with pytest.raises(applications.BadName):
        applications.draft(organisation=makers.organisation(), name=name, by="user:ana", by_id=None, now=NOW)


def test_a_name_is_taken_once_per_organisation() -> None:
    makers.draft("flow")
    with pytest.raises(applications.NameTaken):
        applications.draft(organisation=makers.organisation(), name="flow", by="user:ana", by_id=None, now=NOW)


def test_suspending_is_undone_by_enabling_and_both_are_on_the_timeline() -> None:
    application = makers.application()
    suspended = applications.act(application=application, action="suspend", by="user:ana", now=NOW)
    assert (suspended.status, suspended.reason) == ("suspended", "Suspended by ana.")
    assert applications.act(application=application, action="enable", by="user:ana", now=NOW).status == "enabled"
    assert list(Transition.objects.order_by("pk").values_list("event", "source", "target")) == [
        ("suspend", "enabled", "suspended"),
        ("enable", "suspended", "enabled"),
    ]


def test_an_action_that_the_state_does_not_allow_is_refused_with_the_reason() -> None:
    application = makers.application()
    with pytest.raises(applications.NotAllowed, match="asleep already"):
        applications.act(application=application, action="sleep", by="user:ana", now=NOW)
    with pytest.raises(applications.NotAllowed, match="Suspend it first"):
        applications.act(application=application, action="retire", by="user:ana", now=NOW)


def test_waking_is_a_wish_that_clears_the_opposite_one_and_past_failures() -> None:
    application = makers.application()
    type(application).objects.update(start_failures=3, retry_at=NOW, sleep_asked_at=NOW)
    woken = applications.act(application=application, action="wake", by="user:ana", now=NOW)
    assert (woken.wake_asked_at, woken.sleep_asked_at, woken.start_failures, woken.retry_at) == (NOW, None, 0, None)
