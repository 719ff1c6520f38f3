"""The Control Panel in a real browser: what an operator does and sees."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

import pages_rows
from ovd_saas.store import transitions
from ovd_saas.store.records import Application, Transition
from pages_browser import Open, connected, scrolls_sideways

ECHO = "/applications/acme/echo/"


@pytest.fixture
def echo(live: str) -> Application:
    pages_rows.person()
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def now() -> datetime:
    return datetime.now(UTC)


def test_signing_in_leads_to_the_list_and_a_wrong_password_is_told(echo: Application, open_page: Open) -> None:
    page = open_page("/applications/", user=None)
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.get_by_label("Password").fill(pages_rows.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Echo")).to_be_visible()


def test_a_change_of_state_appears_without_reload(echo: Application, open_page: Open) -> None:
    listed, page = connected(open_page("/applications/")), connected(open_page(ECHO))
    for one in (listed, page):
        one.evaluate("window.stayed = true")
        expect(one.locator("#content")).to_contain_text("asleep · idle")
    transitions.move(echo.pk, "service", "wake", reason="1 execution waits.", now=now())
    expect(page.locator(".ovd-title")).to_contain_text("waking")
    expect(page.locator("[data-story]")).to_contain_text("1 execution waits.")
    expect(page.get_by_label("Its life")).to_be_visible()
    expect(listed.locator("tbody")).to_contain_text("waking")
    assert all(one.evaluate("window.stayed") for one in (listed, page))


def test_what_has_the_focus_keeps_it_when_its_part_changes(echo: Application, open_page: Open) -> None:
    page = connected(open_page(ECHO))
    page.locator("[data-key=act-suspend]").focus()
    transitions.move(echo.pk, "service", "wake", reason="Somebody uses it.", now=now())
    expect(page.locator(".ovd-title")).to_contain_text("waking")
    expect(page.locator("[data-key=act-suspend]")).to_be_focused()


def test_a_double_click_acts_once_and_suspending_is_undone_by_one_click(echo: Application, open_page: Open) -> None:
    page = connected(open_page(ECHO))
    page.get_by_role("button", name="Suspend").dblclick()
    expect(page.get_by_text("is suspended: nothing starts")).to_be_visible()
    expect(page.get_by_role("button", name="Enable")).to_be_enabled()
    assert list(Transition.objects.values_list("event", flat=True)) == ["suspend"]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Echo is enabled.")).to_be_visible()
    assert Application.objects.get(pk=echo.pk).status == "enabled"


def test_the_slower_of_two_people_is_told_what_happened(echo: Application, open_page: Open) -> None:
    page = connected(open_page(ECHO))
    page.evaluate("window.ovd.live.hold()")  # the page does not hear of it
    transitions.move(echo.pk, "status", "suspend", reason="Suspended by bob.", now=now())
    with page.expect_response(re.compile("actions")) as refused:
        page.get_by_role("button", name="Suspend").click()
    assert refused.value.status == 409
    expect(page.locator("[data-messages]")).to_contain_text("It is suspended already.")
    expect(page.locator("[data-story]")).to_contain_text("Suspended by bob.")


def test_retiring_asks_for_the_name(echo: Application, open_page: Open) -> None:
    transitions.move(echo.pk, "status", "suspend", reason="Suspended by bob.", now=now())
    page = connected(open_page(ECHO))
    page.get_by_role("button", name="Retire…").click()
    expect(page.get_by_role("button", name="Retire for good")).to_be_disabled()
    page.get_by_label("Type echo to confirm").fill("echo")
    page.get_by_role("button", name="Retire for good").click()
    expect(page.locator(".ovd-title")).to_contain_text("retired")


def test_what_is_searched_for_is_kept_in_the_address(echo: Application, open_page: Open) -> None:
    pages_rows.application("water-flow", pages_rows.ECHO, "Water flow")
    page = connected(open_page("/applications/"))
    page.get_by_label("Search applications").press_sequentially("water")
    expect(page.get_by_role("link", name="Echo")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?q=water$"))
    page.reload()
    expect(page.get_by_role("link", name="Water flow")).to_be_visible()
    expect(page.get_by_role("link", name="Echo")).to_have_count(0)


def test_everything_is_reached_by_keyboard_and_seen_to_be(echo: Application, open_page: Open) -> None:
    page = connected(open_page(ECHO))
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached[-1]
    assert "Skip to the content" in reached
    for word in ("Wake", "Suspend", "Timeline", "Machines"):
        assert word in reached


def test_a_running_execution_tells_its_progress_and_its_end(echo: Application, open_page: Open) -> None:
    ana = pages_rows.person()
    row = pages_rows.unfinished(
        echo, ana, inputs={"message": "hi"}, progress={"fraction": 0.25, "message": "half of half"}
    )
    page = open_page(f"/executions/{row.pk}/")
    expect(page.locator("[data-progress-words]")).to_have_text("half of half")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    transitions.execution(row.pk, "succeed", now=now(), outputs={"result": "hello you"}, seconds=0.3, log="done\n")
    expect(page.locator(".ovd-title")).to_contain_text("succeeded")
    expect(page.get_by_label("Outputs")).to_contain_text("hello you")
    expect(page.locator("#log")).to_have_text("done\n")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_telephone(live: str, open_page: Open, scheme: str) -> None:
    rows = pages_rows.platform()
    page = open_page("/applications/", width=390, color_scheme=scheme)
    water = "/applications/acme/water-flow/"
    places = ["/", water, "/machines/", "/tokens/", f"{water}releases/1/", f"/executions/{rows['done'].pk}/"]
    places += [f"{water}?tab={tab}" for tab in ("executions", "releases", "timeline", "processes", "about")]
    places += [
        f"/executions/{rows['running'].pk}/",
        f"/executions/{rows['drawn'].pk}/",
        "/a/acme/line-segments/?sample=stairs",
    ]
    for place in places:
        page.goto(place)
        assert page.evaluate("document.documentElement.dataset.bsTheme") == scheme
        assert not scrolls_sideways(page), place
