"""Every page can be used by everyone: axe finds nothing serious, in light and dark, wide and narrow, full and empty."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

import pages_learning
import pages_rows

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
LOOKS = ((1280, "light"), (1280, "dark"), (390, "light"))  # what is drawn differs by width, colours by scheme
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"],
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
  return found.violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => one.id + ": " + one.nodes.map(node => node.target.join(" ")).slice(0, 3).join(" | "));
}"""
CHARTS = "() => [...document.querySelectorAll('[data-chart]')].every(one => one.dataset.drawn || !one.offsetParent)"

NOT_THERE = ("/nowhere/", "/invitations/nothing/", "/shared/nothing/")

OpenPage = Callable[..., Page]


def serious(page: Page) -> list[str]:
    page.wait_for_function(CHARTS)
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(RUN)
    return found


def check(page: Page, place: str) -> None:
    """Nothing serious in any look."""
    if place in NOT_THERE:  # the browser complains of every 404, and that is what is asked for
        page.route(f"**{place}", lambda route: route.fulfill(response=route.fetch(), status=200))
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.goto(place)
        assert (place, width, scheme, serious(page)) == (place, width, scheme, [])


def staff() -> None:
    """Ana sees the pages of the platform's staff, too."""
    ana = pages_rows.person()
    ana.is_staff = True
    ana.save(update_fields=["is_staff"])


TOP = (
    "/home/", "/applications/", "/applications/new/", "/timeline/", "/machines/", "/samples/", "/people/",
    "/system/", "/search/?q=water", "/tokens/", "/password/", "/nowhere/",
)  # fmt: skip


@pytest.mark.parametrize("place", TOP)
def test_a_page_of_a_platform_at_work(place: str, open_page: OpenPage) -> None:
    pages_rows.platform()
    staff()
    check(open_page("/tokens/"), place)


@pytest.mark.parametrize("place", TOP[:-1])
def test_a_page_of_a_platform_where_nothing_is_yet(place: str, open_page: OpenPage) -> None:
    staff()
    check(open_page("/tokens/"), place)


TABS = ("overview", "executions", "data", "learning", "models", "releases", "samples", "timeline", "settings")


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_of_an_application(tab: str, open_page: OpenPage) -> None:
    rows = pages_rows.platform()
    page = open_page("/tokens/")
    for name in ("water", "broken") if tab in ("overview", "settings") else ("water",):
        check(page, f"/applications/acme/{rows[name].name}/?tab={tab}")


@pytest.mark.parametrize("tab", ["data", "learning", "models"])
def test_a_tab_of_an_application_that_learns(tab: str, open_page: OpenPage) -> None:
    rows = pages_learning.platform()
    page = open_page("/tokens/")
    for application in rows.values():
        check(page, f"/applications/acme/{application.name}/?tab={tab}")


@pytest.mark.parametrize("name", ["done", "drawn", "failed", "rejected", "taken", "running", "queued"])
def test_an_execution(name: str, open_page: OpenPage) -> None:
    execution = pages_rows.platform()[name]
    page = open_page("/tokens/")
    check(page, f"/executions/{execution.pk}/")
    check(page, f"/a/acme/{execution.application.name}/executions/{execution.pk}/")


def test_releases(open_page: OpenPage) -> None:
    pages_rows.platform()
    page = open_page("/tokens/")
    for number in (1, 2):
        check(page, f"/applications/acme/water-flow/releases/{number}/")
    check(page, "/applications/acme/line-segments/releases/2/")


@pytest.mark.parametrize("place", ["/a/acme/water-flow/", "/a/acme/line-segments/?sample=stairs", "/a/acme/brand-new/"])
def test_the_page_of_an_application_for_its_users(place: str, open_page: OpenPage) -> None:
    pages_rows.platform()
    check(open_page("/tokens/"), place)


def test_pages_for_who_is_signed_out(open_page: OpenPage) -> None:
    page = open_page("/login/", user=None)
    for place in ("/login/", "/password/forgotten/", "/invitations/nothing/", "/shared/nothing/"):
        check(page, place)


def test_axe_sees_what_is_wrong(open_page: OpenPage) -> None:
    page = open_page("/login/", user=None)
    page.evaluate("document.querySelector('#id_username').labels.forEach(one => one.remove())")
    assert any("label" in one for one in serious(page))


def test_a_dialog_can_be_read_too(open_page: OpenPage) -> None:
    rows: Any = pages_rows.platform()
    page = open_page(f"/applications/acme/{rows['held'].name}/")
    page.locator("[data-dialog]").first.click()
    page.wait_for_selector("dialog[open]")
    assert serious(page) == []
