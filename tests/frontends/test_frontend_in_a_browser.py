"""An application's page in a real browser: what its users do and see."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

import pages_rows
from ovd_saas.files import store as files
from ovd_saas.store import transitions
from ovd_saas.store.records import Application, Execution, ExecutionEvent
from pages_browser import Open, connected, scrolls_sideways


@pytest.fixture
def echo(live: str) -> Application:
    pages_rows.person()
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


@pytest.fixture
def lines(live: str) -> Application:
    pages_rows.person()
    return pages_rows.application("line-segments", pages_rows.LINES, "Line segments")


@pytest.fixture
def water(live: str) -> Application:
    pages_rows.person()
    return pages_rows.application("water-flow", pages_rows.WATER, "Water flow forecast")


def now() -> datetime:
    return datetime.now(UTC)


def start(row: Execution, app: Application) -> None:
    transitions.execution(row.pk, "claim", now=now(), lease=row.lease, started_at=now(), release=app.release)


def tell(row: Execution, kind: str, **body: object) -> None:
    from ovd_saas.store.notices import notify

    ExecutionEvent.objects.create(execution=row, kind=kind, body=body, at=now())
    notify("execution", id=row.pk, application=row.application_id, status="running")


def test_a_run_is_followed_from_the_button_to_its_result(echo: Application, open_page: Open) -> None:
    page = connected(open_page("/a/acme/echo/"))
    expect(page.locator("[data-outlook]")).to_contain_text("Asleep; wakes when you press Run.")
    page.get_by_role("link", name="A greeting").click()
    expect(page.get_by_label("Message")).to_have_value("hello")
    page.get_by_role("button", name="Run").dblclick()
    page.wait_for_url(re.compile(r"/a/acme/echo/executions/[0-9a-f-]{36}/$"))
    row = Execution.objects.get()
    assert row.inputs == {"message": "hello", "times": 1}
    transitions.move(echo.pk, "service", "wake", reason="1 execution waits.", now=now())
    start(row, echo)
    expect(page.locator("[aria-current=step]")).to_have_text("running")
    tell(row, "progress", fraction=0.5, message="half way")
    tell(row, "log", stream="stdout", text="greeting you\n")
    expect(page.locator("[data-progress-words]")).to_have_text("half way")
    expect(page.locator("#log")).to_contain_text("greeting you")
    address = page.url
    page.close()  # the run goes on, and coming back shows where it stands
    again = open_page(address)
    expect(again.locator("[aria-current=step]")).to_have_text("running")
    transitions.execution(row.pk, "succeed", now=now(), outputs={"result": "hello hello"}, seconds=0.2)
    expect(again.get_by_label("Results")).to_contain_text("hello hello")
    expect(again.get_by_role("link", name="Run again with changes")).to_be_visible()


def test_a_sleeping_application_that_is_suspended_meanwhile_cannot_be_run(echo: Application, open_page: Open) -> None:
    page = connected(open_page("/a/acme/echo/"))
    expect(page.get_by_role("button", name="Run")).to_be_enabled()
    transitions.move(echo.pk, "status", "suspend", reason="Suspended by bob.", now=now())
    expect(page.locator("[data-outlook]")).to_contain_text("Suspended by its operators")
    expect(page.get_by_role("button", name="Run")).to_be_disabled()


def test_a_waiting_run_is_cancelled(echo: Application, open_page: Open) -> None:
    row = pages_rows.unfinished(echo, pages_rows.person(), "queued", inputs={"message": "hi", "times": 1})
    page = open_page(f"/a/acme/echo/executions/{row.pk}/")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Cancelled")).to_contain_text("Cancelled by ana.")
    row.refresh_from_db()
    assert row.status == "cancelled"


def test_pictures_and_tables_are_sent(lines: Application, open_page: Open) -> None:
    page = connected(open_page("/a/acme/line-segments/?sample=stairs"))
    expect(page.locator("[data-file-preview] img")).to_be_visible()
    page.get_by_label("Shortest segment, slider").fill("40")
    expect(page.get_by_role("spinbutton", name="Shortest segment")).to_have_value("40")
    page.get_by_text("More settings").click()
    page.get_by_label("Known segments", exact=True).fill("x,y\n1,2\n3,4.5")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/executions/"))
    inputs = Execution.objects.get().inputs
    assert files.read(inputs["picture"]["digest"]) == pages_rows.png()
    assert inputs["known"] == {"columns": ["x", "y"], "rows": [[1, 2], [3, 4.5]]}
    assert (inputs["shortest"], inputs["detail"], inputs["thin"]) == (40, "fine", True)


def test_a_chosen_picture_is_shown_before_it_is_sent(lines: Application, open_page: Open) -> None:
    page = connected(open_page("/a/acme/line-segments/"))
    picture = {"name": "mine.png", "mimeType": "image/png", "buffer": pages_rows.png(40, 30)}
    page.locator("#in-picture").set_input_files([picture])  # type: ignore[list-item]
    expect(page.locator("[data-file-preview]")).to_contain_text("40 × 30 pixels")


def test_a_pasted_series_is_drawn_and_the_code_follows_the_form(water: Application, open_page: Open) -> None:
    page = connected(open_page("/a/acme/water-flow/"))
    page.get_by_role("textbox", name="Flow so far").fill("\n".join(f"2022-01-{day:02d},{day}" for day in range(1, 29)))
    expect(page.locator("[data-typed-preview] [data-drawn]")).to_be_visible()
    expect(page.locator("[data-typed-words]")).to_have_text("28 values.")
    page.get_by_role("spinbutton", name="Hours to forecast").fill("48")
    expect(page.locator("#code")).to_contain_text('"horizon":48')
    expect(page.locator("#code")).to_contain_text("history=@history.csv")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/executions/"))
    history = Execution.objects.get().inputs["history"]
    assert (history["values"][:2], history["times"][0]) == ([1, 2], "2022-01-01T00:00:00Z")


def test_a_forecast_is_drawn_with_its_history(water: Application, open_page: Open) -> None:
    inputs = {"history": pages_rows.HISTORY, "horizon": 48, "level": 90, "threshold": 6.5}
    row = pages_rows.execution(water, pages_rows.person(), inputs=inputs, outputs=pages_rows.FORECAST)
    page = open_page(f"/a/acme/water-flow/executions/{row.pk}/")
    expect(page.locator("[data-kind=plot] [data-drawn]")).to_be_visible()
    assert not scrolls_sideways(page)


def test_without_a_script_a_run_is_started_and_its_page_refreshes_by_itself(echo: Application, open_page: Open) -> None:
    page = open_page("/a/acme/echo/?sample=greeting", java_script_enabled=False)
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"/executions/"))
    row = Execution.objects.get()
    start(row, echo)
    transitions.execution(row.pk, "succeed", now=now(), outputs={"result": "hello"}, seconds=0.2)
    expect(page.get_by_label("Results")).to_contain_text("hello")


def test_a_refused_input_is_told_beside_its_field(echo: Application, open_page: Open) -> None:
    page = open_page("/a/acme/echo/")
    page.get_by_role("spinbutton", name="Times").fill("99")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-field=times] [data-field-error]")).to_contain_text("9")
    expect(page.locator("[data-field=message] [data-field-error]")).to_contain_text("is missing")
    expect(page.get_by_label("Message")).to_be_focused()
    page.get_by_label("Message").fill("hello")
    expect(page.locator("[data-field=message] [data-field-error]")).to_have_text("")
    assert Execution.objects.count() == 0


@pytest.mark.parametrize("name", ["water-flow", "line-segments"])
def test_a_page_fits_a_telephone(live: str, open_page: Open, name: str) -> None:
    pages_rows.platform()
    page = open_page(f"/a/acme/{name}/", width=390)
    assert not scrolls_sideways(page)
