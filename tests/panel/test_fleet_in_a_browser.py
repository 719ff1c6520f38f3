"""The fleet in a browser: one misbehaves, two operators race, many at once, a folder becomes an application."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

import makers
import pages_rows
from ovd_saas.store import transitions
from ovd_saas.store.records import Application, Release
from pages_browser import Open, connected, scrolls_sideways

ECHO = "/applications/acme/echo/"


@pytest.fixture
def echo(live: str) -> Application:
    pages_rows.person()
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def now() -> datetime:
    return datetime.now(UTC)


def test_it_misbehaves_why_is_three_clicks_away_it_is_rolled_back_and_recovers(
    echo: Application, open_page: Open
) -> None:
    for number in range(30):
        makers.application(f"sleeper-{number:02}")
    second = makers.release(echo, 2)
    why = "3 starts in a row failed; see the log of its last process."
    Application.objects.filter(pk=echo.pk).update(release=second, health="faulty", start_failures=3, reason=why)
    pages_rows.process(
        echo, "ended", release=second, ready_at=None, ended_at=now(), end_reason="ImportError: no module named flow."
    )

    page = connected(open_page("/applications/"))
    page.locator("[data-key=count-faulty]").click()  # one
    expect(page.locator("#fleet tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Echo").click()  # two
    expect(page.locator("[data-story]")).to_contain_text(why)
    page.get_by_role("link", name="Settings").click()  # three
    expect(page.locator("#processes")).to_contain_text("ImportError: no module named flow.")

    page.get_by_role("link", name="Releases", exact=True).click()
    page.locator("[data-key=release-1]").click()
    page.locator("[data-key=use]").click()
    page.locator("[data-key=use-now]").click()
    expect(page.locator("[data-messages]")).to_contain_text("current")
    echo.refresh_from_db()
    assert (echo.release.number if echo.release else None, echo.start_failures) == (1, 0)
    page.goto(ECHO)
    connected(page).evaluate("window.stayed = true")
    transitions.move(echo.pk, "health", "recover", reason="Its failed starts no longer count.", now=now())
    expect(page.locator("[data-story]")).to_contain_text("Its failed starts no longer count.")
    expect(page.locator(".ovd-title")).to_contain_text("asleep · idle")
    assert page.evaluate("window.stayed")


def test_two_race_on_one_button_and_the_slower_is_told_who_was_faster(echo: Application, open_page: Open) -> None:
    pages_rows.person("bo", "operator")
    pages_rows.person()
    ana, bo = open_page(ECHO), open_page(ECHO, user="bo")
    for page in (ana, bo):  # both see the button of the same moment
        page.evaluate("window.ovd.live.hold()")
        expect(page.locator("[data-key=act-suspend]")).to_be_visible()
    ana.locator("[data-key=act-suspend]").click()
    expect(ana.locator("[data-messages]")).to_contain_text("is suspended")
    bo.locator("[data-key=act-suspend]").click()
    expect(bo.locator("[data-messages]")).to_contain_text("It is suspended already. Suspended by ana,")
    expect(bo.locator("[data-key=act-enable]")).to_be_visible()
    expect(bo.locator("[data-key=act-suspend]")).to_have_count(0)


def test_the_table_keeps_what_one_looks_at_in_the_address_and_many_are_changed_at_once(
    echo: Application, open_page: Open
) -> None:
    for number in range(60):
        makers.application(f"sleeper-{number:02}")
    page = connected(open_page("/applications/?size=25"))
    page.locator(".dt-paging").get_by_text("Next", exact=True).click()
    expect(page.locator("#fleet tbody")).to_contain_text("sleeper-24")
    expect(page).to_have_url(re.compile(r"\?size=25&page=2$"))
    page.locator("[data-filter] [name=sort]").select_option("-release")
    expect(page).to_have_url(re.compile("sort=-release"))
    page.get_by_label("Search applications by name").fill("sleeper 05")
    expect(page.locator("#fleet tbody tr")).to_have_count(1)
    page.go_back()
    page.go_back()
    expect(page.locator("#fleet tbody")).to_contain_text("sleeper-24")
    page.reload()
    expect(page.locator("#fleet tbody")).to_contain_text("sleeper-24")

    boxes = page.locator("#fleet tbody input[name=id]")
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    boxes.nth(3).click(modifiers=["Shift"])
    expect(page.locator("[data-bulk-count]")).to_have_text("3 chosen")
    page.locator("[data-bulk-bar] button[value=suspend]").click()
    expect(page.locator("dialog[open]")).to_contain_text("Suspend: 3 applications")
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.locator("dialog[open]")).to_contain_text("done for 3 applications")
    page.locator("dialog[open] .btn-primary").click()
    assert Application.objects.filter(status="suspended").count() == 3
    expect(page.locator("#fleet tbody")).to_contain_text("suspended")


def test_a_row_changes_in_its_place_and_another_order_waits_for_who_looks(echo: Application, open_page: Open) -> None:
    page = connected(open_page("/applications/?sort=state"))
    makers.application("another")
    page.locator("#fleet tbody tr").first.hover()
    transitions.move(echo.pk, "service", "wake", reason="Somebody waits.", now=now())
    expect(page.locator("#fleet tbody")).to_contain_text("waking")
    expect(page.locator("[data-changed]")).to_be_visible()
    expect(page.locator("#fleet tbody tr")).to_have_count(1)
    page.locator("[data-show-changed]").click()
    expect(page.locator("#fleet tbody tr")).to_have_count(2)


def test_a_folder_becomes_an_application(echo: Application, open_page: Open, tmp_path: Path) -> None:
    folder = tmp_path / "flow"
    for name, content in {
        "ovd.toml": 'name = "flow"\ntitle = "Flow"\n',
        "app.py": "x = 1\n",
        ".env": "SECRET=1\n",
        "__pycache__/app.pyc": "no",
        "deep/" + "long-name-" * 12 + ".txt": "far away",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    page = open_page("/applications/new/?way=upload")
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("[data-upload-chosen]")).to_contain_text("3 files")
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url(re.compile("/applications/acme/flow/releases/1/"))
    from ovd_saas.appcore import releases as verbs

    digest = Release.objects.get(application__name="flow").digest
    assert verbs.read_file(digest, "app.py", 100) == b"x = 1\n"
    assert verbs.read_file(digest, "deep/" + "long-name-" * 12 + ".txt", 100) == b"far away"
    assert verbs.read_file(digest, ".env", 100) is None


def test_new_entries_of_the_timeline_come_to_who_is_not_reading(echo: Application, open_page: Open) -> None:
    pages_rows.moved(echo, "status", "draft", "enabled", "Opened.", 60)
    page = connected(open_page("/timeline/"))
    page.mouse.move(1, 1)
    transitions.move(echo.pk, "service", "wake", reason="Somebody waits.", now=now())
    expect(page.locator("[data-ledger-entries]")).to_contain_text("Somebody waits.")
    page.locator("[data-ledger-entries] li").first.hover()
    transitions.move(echo.pk, "service", "ready", reason="A process is ready.", now=now())
    expect(page.locator("[data-ledger-news]")).to_contain_text("1 new entry")
    expect(page.locator("[data-ledger-entries]")).not_to_contain_text("A process is ready.")
    page.locator("[data-ledger-show]").click()
    expect(page.locator("[data-ledger-entries]")).to_contain_text("A process is ready.")


@pytest.mark.parametrize(
    "path", ["/applications/", "/timeline/", f"{ECHO}?tab=settings", f"{ECHO}?tab=timeline", "/applications/new/"]
)
def test_nothing_scrolls_sideways_on_a_telephone(echo: Application, open_page: Open, path: str) -> None:
    pages_rows.moved(echo, "status", "draft", "enabled", "Opened.", 60)
    assert not scrolls_sideways(open_page(path, width=390))


def test_without_script_the_table_still_finds_and_pages(echo: Application, open_page: Open) -> None:
    for number in range(60):
        makers.application(f"sleeper-{number:02}")
    page = open_page("/applications/?q=sleeper", java_script_enabled=False)
    expect(page.locator("#fleet tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#fleet tbody tr")).to_have_count(10)
    page.locator("#fleet tbody input[name=id]").first.check()
    page.locator("button[value=suspend]").click()
    expect(page.locator("#content")).to_contain_text("Suspend: 1 application")
