"""Everything can be done by the keyboard alone: each control is reached in the order of the page, and is seen."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

import pages_rows
from pages_browser import connected

OpenPage = Callable[..., Page]

MOST = 400  # tabs until a page has been walked through
NAME = """one => one.tagName + " " +
  (one.id || one.name || one.getAttribute("href") || one.textContent.trim().slice(0, 30))"""
FOCUSED = f"""() => {{
  const name = {NAME}, one = document.activeElement;
  if (one && one === window.walkedLast) {{ return {{ what: name(one), isSeen: true }}; }}
  if (!one || one === document.body || one.dataset.walked) {{ return null; }}
  window.walkedLast = one;
  one.dataset.walked = "1";
  const box = one.getBoundingClientRect();
  const shown = [one, one.parentElement, one.nextElementSibling].some(near => {{
    const look = near && getComputedStyle(near);
    return look && (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0 || look.boxShadow !== "none");
  }});
  return {{ what: name(one), isSeen: shown && (box.width > 0 || one.matches("input[type=file]")) }};
}}"""
CONTROLS = f"""() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter(one => one.checkVisibility({{ visibilityProperty: true }}) && !one.disabled && one.tabIndex >= 0
    && !one.dataset.walked && !["hidden", "radio"].includes(one.type) && !one.closest("dialog:not([open]), [inert]"))
  .map({NAME})"""  # of radios one has the focus, the arrows reach the others


def walk(page: Page) -> list[dict[str, Any]]:
    """What has the focus after each Tab, until it comes round."""
    page.locator("body").evaluate("body => { body.tabIndex = -1; body.focus(); body.removeAttribute('tabindex'); }")
    found: list[dict[str, Any]] = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        one = page.evaluate(FOCUSED)
        if one is None:
            break
        found.append(one)
    return found


PLACES = (
    "/home/", "/applications/", "/applications/new/", "/timeline/", "/machines/", "/samples/", "/people/", "/system/",
    "/tokens/", "/applications/acme/water-flow/?tab=overview", "/applications/acme/water-flow/?tab=executions",
    "/applications/acme/water-flow/?tab=releases", "/applications/acme/water-flow/?tab=settings",
    "/a/acme/water-flow/", "/a/acme/line-segments/",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_tab_reaches_every_control_and_shows_where_one_is(place: str, open_page: OpenPage) -> None:
    ana = pages_rows.platform()["ana"]
    ana.is_staff = True  # sees the pages of the platform itself, too
    ana.save(update_fields=["is_staff"])
    page = open_page(place)
    connected(page)
    walked = walk(page)
    assert len(walked) > 5
    assert [one["what"] for one in walked if not one["isSeen"]] == []
    assert page.evaluate(CONTROLS) == []
    assert page.locator("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").count() == 0


def test_a_dialog_keeps_the_focus_and_gives_it_back(open_page: OpenPage) -> None:
    rows = pages_rows.platform()
    page = open_page(f"/applications/acme/{rows['held'].name}/")
    page.locator("[data-dialog]").first.focus()
    opener = page.evaluate("document.activeElement.dataset.dialog")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    for _ in range(12):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert page.evaluate(inside)  # the browser's own bar is between the last and the first
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    assert page.evaluate("document.activeElement.dataset.dialog") == opener


def test_the_first_tab_leads_past_the_navigation(open_page: OpenPage) -> None:
    pages_rows.platform()
    page = open_page("/applications/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_menu_of_the_person_closes_by_escape(open_page: OpenPage) -> None:
    pages_rows.person()
    page = open_page("/tokens/")
    menu = page.locator("details.ovd-menu summary").last
    menu.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.ovd-menu[open]").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("details.ovd-menu[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


HEAVIEST = ("/home/", "/applications/", "/timeline/", "/machines/", "/a/acme/water-flow/?sample=ten-days",
            "/applications/acme/water-flow/?tab=models", "/applications/acme/water-flow/releases/1/")  # fmt: skip
FIRST_VIEW = 300 * 1024  # bytes over the wire


@pytest.mark.parametrize("place", HEAVIEST)
def test_the_first_view_of_a_page_is_small(place: str, open_page: OpenPage) -> None:
    rows = pages_rows.platform()
    page = open_page("/tokens/")
    protocol = page.context.new_cdp_session(page)
    sizes: list[float] = []
    protocol.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    protocol.send("Network.enable")
    protocol.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(place)
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-chart]')].every(one => one.dataset.drawn || !one.offsetParent)"
    )
    assert rows and 20_000 < sum(sizes) < FIRST_VIEW, sum(sizes)
