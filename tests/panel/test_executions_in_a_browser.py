"""Executions and data in a real browser: fed by drag and drop, shared with a stranger, compared by keyboard."""

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

import pages_learning
import pages_rows
from ovd_saas.appcore import triggers
from ovd_saas.store.records import Application, Batch, Execution
from pages_browser import Open, connected, scrolls_sideways, sign_in

DROP = """([selector, files]) => {
    const data = new DataTransfer();
    for (const one of files) { data.items.add(new File([Uint8Array.from(one.bytes)], one.name, {type: one.type})); }
    const box = document.querySelector(selector);
    for (const event of ["dragover", "drop"]) {
        box.dispatchEvent(new DragEvent(event, {dataTransfer: data, bubbles: true, cancelable: true}));
    }
}"""


def drop(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Files onto the place where data is sent, as a person drags them there."""
    given = [{"name": name, "type": media_type, "bytes": list(data)} for name, media_type, data in files]
    page.evaluate(DROP, ["[data-feed-drop]", given])


def lines(first: int, count: int) -> bytes:
    rows = [f"2026-03-{1 + n // 24:02d}T{n % 24:02d}:00:00Z,{10 + n % 7}" for n in range(first, first + count)]
    return "\n".join(["at,flow", *rows, ""]).encode()


@pytest.fixture
def fresh(live: str) -> Application:
    pages_rows.person()
    return pages_learning.fresh()


def test_data_is_dropped_appears_as_batches_and_makes_learning_due(fresh: Application, open_page: Open) -> None:
    page = connected(open_page(f"/applications/acme/{fresh.name}/?tab=data"))
    page.evaluate("window.stayed = true")
    drop(page, ("monday.csv", "text/csv", lines(0, 60)), ("tuesday.csv", "text/csv", lines(60, 60)))
    expect(page.locator("[data-feed-chosen]")).to_contain_text("2 files")
    page.get_by_role("button", name="Send", exact=True).click()
    answers = page.locator("[data-feed-answer] a")
    expect(answers).to_have_count(2)
    expect(answers.nth(1)).to_have_text("Batch 1 with 60 samples is in.")
    expect(page.locator("tr", has_text="Batch 2")).to_contain_text("pending")
    expect(page.locator("#content [data-story]").nth(1)).to_contain_text("120 samples are not learned yet")
    expect(page.get_by_label("Latest samples")).to_contain_text("2026-03-03")
    run = triggers.look(fresh.pk, timezone.now())
    assert run is not None
    expect(page.locator("#content [data-story]").nth(1)).to_contain_text("Learning is due")
    assert page.evaluate("window.stayed"), "nothing was loaded anew"
    page.reload()
    expect(page.locator("[data-feed-answer] a")).to_have_count(2)


def test_a_broken_connection_is_told_and_the_file_sent_again(fresh: Application, live: str, browser: Browser) -> None:
    page = browser.new_context(base_url=live).new_page()  # its console tells of the broken connection, too
    sign_in(page, "ana")
    page.goto(f"/applications/acme/{fresh.name}/?tab=data")
    page.route("**/intake", lambda route: route.abort())
    drop(page, ("monday.csv", "text/csv", lines(0, 3)))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("the connection broke, so nothing was stored")
    page.unroute("**/intake")
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("Batch 1 with 3 samples is in.")
    page.context.close()


def test_an_upload_is_cancelled_while_it_goes_on(fresh: Application, open_page: Open) -> None:
    page = connected(open_page(f"/applications/acme/{fresh.name}/?tab=data"))
    held: list[Any] = []
    page.route("**/intake", lambda route: held.append(route))
    drop(page, ("monday.csv", "text/csv", lines(0, 3)))
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("[data-feed-answer] strong")).to_have_text("monday.csv")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("monday.csv was cancelled")
    assert not Batch.objects.exists()


def test_cells_of_a_spreadsheet_are_pasted_with_their_decimal_commas(fresh: Application, open_page: Open) -> None:
    page = connected(open_page(f"/applications/acme/{fresh.name}/?tab=data"))
    page.get_by_text("Paste from a spreadsheet").click()
    box = page.get_by_label("Cells with a head line")
    box.fill("Moment\tFlow\tcolour\n2026-03-01T00:00:00Z\t12,5\tred\n")
    expect(page.locator("[data-paste-words]")).to_have_text("1 sample. Not a field of a sample: colour.")
    box.fill("Moment\tFlow\n2026-03-01T00:00:00Z\t12,5\n2026-03-01T01:00:00Z\t1.211,8\n")
    expect(page.get_by_label("What will be sent")).to_contain_text("1211.8")
    page.get_by_role("button", name="Send what was pasted").click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("Batch 1 with 2 samples is in.")
    expect(page.get_by_label("Latest samples")).to_contain_text("12.5")


def test_dropped_pictures_become_one_batch_with_a_label(live: str, open_page: Open) -> None:
    pages_learning.digits(pages_rows.person())
    page = connected(open_page("/applications/acme/digits/?tab=data"))
    drop(page, *((f"{n}.png", "image/png", pages_rows.png(32, 32 + n)) for n in range(3)))
    expect(page.locator("[data-feed-chosen]")).to_contain_text("3 pictures")
    page.get_by_label("Digit of all these pictures").select_option("7")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("Batch 4 with 3 samples is in.")
    page.locator("[data-feed-answer] a").click()
    expect(page.get_by_label("First samples").locator("img")).to_have_count(3)
    expect(page.get_by_label("First samples").locator("tbody tr").first).to_contain_text("7")


def test_a_result_is_labelled_among_the_data(live: str, open_page: Open) -> None:
    pages_learning.digits(pages_rows.person())
    page = connected(open_page("/applications/acme/digits/?tab=data"))
    asked = page.get_by_label("Say what was right")
    expect(asked).to_contain_text("It said Digit: 7")
    asked.get_by_role("button", name="4", exact=True).click()
    expect(page.get_by_text("It is a sample now, in batch 4")).to_be_visible()
    expect(asked).to_have_count(0)
    assert Batch.objects.get(number=4).kind == "feedback"


@pytest.fixture
def drawn(live: str) -> Execution:
    row: Execution = pages_rows.platform()["drawn"]
    row.inputs["picture"] = pages_rows.stored("before.png", "image/png", pages_rows.png(320, 200) + b"\0")
    row.save()
    return row


def test_a_result_is_shared_with_a_stranger_until_it_is_revoked(drawn: Execution, open_page: Open) -> None:
    page = connected(open_page(f"/executions/{drawn.pk}/"))
    page.get_by_role("button", name="Share").click()
    link = page.get_by_label("Link", exact=True)
    expect(link).to_be_visible()
    stranger = open_page(link.input_value(), user=None)
    expect(stranger.get_by_text("Somebody shared this result with you.")).to_be_visible()
    expect(stranger.locator("img[data-picture]").first).to_have_js_property("naturalWidth", 320)
    expect(stranger.get_by_text("reading the input")).to_have_count(0)
    page.wait_for_selector("body:not([data-acting])")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The link is revoked")).to_be_visible()
    expect(link).to_have_count(0)
    assert stranger.request.get(stranger.url).status == 404


def test_pictures_are_compared_by_keyboard_and_move_together(drawn: Execution, open_page: Open) -> None:
    page = connected(open_page(f"/executions/{drawn.pk}/"))
    compare = page.locator("[data-compare][data-ready]")
    expect(compare).to_be_visible()
    expect(compare.locator("[data-pick]").first).to_have_value("0")
    slider = compare.get_by_label("Where the left picture ends")
    slider.focus()
    right = compare.locator("[data-view]").nth(1)
    expect(right).to_have_css("clip-path", "inset(0px 0px 0px 50%)")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(right).to_have_css("clip-path", "inset(0px 0px 0px 55%)")
    box = compare.locator("[data-compare-box]")
    box.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    moved = compare.locator("img").evaluate_all("all => all.map(one => one.style.transform)")
    assert moved[0] == moved[1]
    assert re.fullmatch(r"translate\(-\d+(\.\d+)?px, 0px\) scale\(1\.5625\)", moved[0])
    expect(compare.locator("[data-zoom-level]")).to_have_text("156 %")
    compare.get_by_role("button", name="Side by side").press("Enter")
    expect(right).to_have_css("clip-path", "none")
    page.keyboard.press("Tab")
    box.focus()
    page.keyboard.press("0")
    expect(compare.locator("[data-zoom-level]")).to_have_text("100 %")


def test_a_picture_zooms_with_wheel_and_buttons(drawn: Execution, open_page: Open) -> None:
    page = connected(open_page(f"/executions/{drawn.pk}/"))
    viewer = page.locator("figure[data-viewer]").first
    level = viewer.locator("[data-zoom-level]")
    viewer.get_by_role("button", name="Zoom in").click()
    expect(level).to_have_text("125 %")
    viewer.locator("[data-view]").click()
    page.mouse.wheel(0, -100)
    expect(level).to_have_text("156 %")
    viewer.get_by_role("button", name="Fit").click()
    expect(level).to_have_text("100 %")


def test_a_table_is_sorted_and_searched_without_a_mouse(drawn: Execution, open_page: Open) -> None:
    page = connected(open_page(f"/executions/{drawn.pk}/"))
    table = page.locator("[data-rows]").first
    table.get_by_label("Search the rows").fill("28")
    expect(table.locator("tbody tr").first).to_contain_text("28")
    expect(table).to_contain_text("(of 30)")
    table.get_by_label("Search the rows").fill("")
    expect(table).to_contain_text("Rows 1 to 25 of 30")
    first = table.locator("thead th").first
    first.locator("[role=button]").press("Enter")
    expect(first).to_have_attribute("aria-sort", "ascending")
    first.locator("[role=button]").press("Enter")
    expect(first).to_have_attribute("aria-sort", "descending")
    expect(table.locator("tbody tr td").first).to_have_text("29")


def test_running_again_opens_the_new_run(drawn: Execution, open_page: Open) -> None:
    page = connected(open_page(f"/executions/{drawn.pk}/"))
    page.get_by_role("button", name="Run again", exact=True).click()
    page.wait_for_url(lambda url: "/executions/" in url and str(drawn.pk) not in url)
    expect(page.locator("[data-story]")).to_contain_text("Queued")
    page.goto(f"/executions/{drawn.pk}/")
    page.get_by_role("link", name="Run again with changes").click()
    expect(page.get_by_text("from an earlier run")).to_be_visible()


def test_nothing_here_scrolls_sideways_on_a_telephone(drawn: Execution, open_page: Open) -> None:
    pages_learning.digits(pages_rows.person())
    page = open_page("/", width=390)
    for place in (
        f"/executions/{drawn.pk}/",
        "/applications/acme/line-segments/?tab=executions",
        "/applications/acme/digits/?tab=data",
        "/applications/acme/digits/batches/1/",
    ):
        page.goto(place)
        page.wait_for_selector("h1")
        assert not scrolls_sideways(page), place
