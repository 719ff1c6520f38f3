"""Home, search and people in a real browser: what an operator and an owner do there, by mouse and by keyboard."""

import re
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

import makers
import pages_rows
from ovd_saas.appcore import invitations
from ovd_saas.store import transitions
from ovd_saas.store.records import Application, LearningRun, Release, User
from pages_browser import connected, scrolls_sideways

Open = Callable[..., Page]


@pytest.fixture
def waiting(live: str) -> Application:
    """An application with a candidate that awaits a decision."""
    pages_rows.person()
    application = makers.learning_application("flow")
    Application.objects.filter(pk=application.pk).update(title="Water flow")
    run = makers.learning_run(application, 1, "awaiting", gate={"sentence": "Its mae is lower by 0.12."})
    LearningRun.objects.filter(pk=run.pk).update(candidate=makers.model_version(application, 1, run=run))
    return application


def test_a_candidate_is_approved_on_home_and_the_slower_of_two_is_told(waiting: Application, open_page: Open) -> None:
    first, second = (connected(open_page("/home/")) for _ in range(2))
    for page in (first, second):
        page.get_by_role("button", name="Approve").click()
    first.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(first.get_by_role("status").filter(has_text="Version 1 is live.")).to_be_visible()
    expect(first.get_by_role("link", name="Water flow", exact=True).first).to_be_visible()
    expect(first.get_by_role("button", name="Approve")).to_have_count(0)
    second.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(second.locator("[data-messages]")).to_contain_text("is live already")
    expect(second.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_fault_appears_on_home_by_itself_and_is_cured_there(live: str, open_page: Open) -> None:
    pages_rows.person()
    application = pages_rows.application("echo", pages_rows.ECHO, "Echo")
    Release.objects.filter(pk=application.release_id).update(number=2)
    makers.release(application, 1)
    page = connected(open_page("/home/"))
    expect(page.get_by_text("It does not start.")).to_have_count(0)
    transitions.move(application.pk, "health", "fault", reason="3 starts in a row failed.", now=timezone.now())
    expect(page.get_by_text("It does not start. 3 starts in a row failed.")).to_be_visible()
    page.get_by_role("button", name="Go back to release 1").click()
    expect(page.get_by_role("dialog")).to_contain_text("Release 1 becomes current in place of release 2")
    page.get_by_role("dialog").get_by_role("button", name="Go back to release 1").click()
    expect(page.locator("[data-messages]")).to_contain_text("Release 1")
    application.refresh_from_db()
    assert application.release is not None and application.release.number == 1


def test_a_slash_searches_everything_by_keyboard_alone(live: str, open_page: Open) -> None:
    pages_rows.person()
    for name, title in (("echo", "Echo"), ("echo-two", "Echo two"), ("water", "Water flow")):
        pages_rows.application(name, pages_rows.ECHO, title)
    page = connected(open_page("/machines/"))
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Search everything")
    expect(box).to_be_focused()
    expect(page.get_by_role("option", name="Home")).to_be_visible()
    page.keyboard.type("echo")
    expect(page.get_by_role("option")).to_have_count(2)
    expect(page.get_by_role("option", name="Echo acme/echo", exact=False).first).to_have_attribute(
        "aria-selected", "true"
    )
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Echo two")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    page.keyboard.press("/")
    box.fill("water")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/applications/acme/water/$"))


def test_a_slash_that_is_typed_into_a_field_stays_there(live: str, open_page: Open) -> None:
    pages_rows.person()
    page = connected(open_page("/tokens/"))
    page.get_by_label("What is it for?").press_sequentially("a/b")
    expect(page.get_by_label("What is it for?")).to_have_value("a/b")
    expect(page.get_by_role("combobox")).to_be_hidden()


def test_somebody_is_invited_joins_and_gets_another_role(live: str, open_page: Open) -> None:
    pages_rows.person()
    owner = connected(open_page("/people/"))
    owner.get_by_role("radio", name="operator").check()
    owner.get_by_role("button", name="Make the invitation").click()
    link = owner.locator("#secret").inner_text()
    connected(owner)
    guest = open_page(link.removeprefix(live), user=None)
    guest.get_by_label("Name to sign in with").fill("eve")
    guest.get_by_label("New password").fill("sleep well, wake soon")
    guest.get_by_label("The same once more").fill("sleep well, wake soon")
    guest.get_by_role("button", name="Make the account and join").click()
    expect(guest).to_have_url(re.compile("/home/$"))
    row = owner.get_by_role("row").filter(has_text="eve")
    expect(row).to_be_visible()
    row.get_by_role("combobox").select_option("author")
    row.get_by_role("button", name="Change").click()
    expect(owner.locator("[data-messages]")).to_contain_text("eve is author of acme now.")
    owner.wait_for_selector("body:not([data-acting])")  # until then a click is taken for the rest of a double click
    row.get_by_label("More for eve").click()
    row.get_by_role("button", name="Remove from acme…").click()
    owner.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(owner.locator("[data-messages]")).to_contain_text("eve is no member of acme any more.")
    expect(owner.get_by_role("row").filter(has_text="eve")).to_have_count(0)


def test_the_first_steps_are_closed_and_come_back_by_undo(live: str, open_page: Open) -> None:
    pages_rows.person()
    pages_rows.application("echo", pages_rows.ECHO, "Echo")
    page = connected(open_page("/home/"))
    page.get_by_role("region", name="First steps").get_by_role("button", name="Close").click()
    expect(page.get_by_role("region", name="First steps")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("region", name="First steps")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_these_scrolls_sideways_on_a_telephone(live: str, open_page: Open, scheme: str) -> None:
    ana = pages_rows.platform()["ana"]
    User.objects.filter(pk=ana.pk).update(is_staff=True, email="a.very.long.address@a.very.long.domain.example.org")
    _, secret = invitations.invite(
        organisation=makers.organisation(), role="author", by="user:ana", by_id=ana.pk, now=timezone.now()
    )
    page = open_page("/home/", width=390, color_scheme=scheme)
    for place in (
        "/home/", "/search/?q=echo", "/system/", "/people/", "/password/", "/tokens/", f"/invitations/{secret}/",
        "/password/forgotten/",
    ):  # fmt: skip
        page.goto(place)
        assert not scrolls_sideways(page), place
