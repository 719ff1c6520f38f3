"""Learning in a real browser: data is sent, a run is followed, a version becomes live, all without a reload."""

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import FilePayload, Page, expect

import pages_learning
import pages_rows
from ovd_saas.appcore import triggers
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import models
from ovd_saas.store.records import Application, Batch, LearningRun
from pages_browser import Open, connected, scrolls_sideways


def file(name: str, *lines: str) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": ("\n".join(lines) + "\n").encode()}


@pytest.fixture
def fresh(live: str) -> Application:
    pages_rows.person()
    return pages_learning.fresh()


def test_a_file_is_sent_and_appears_without_a_reload(fresh: Application, open_page: Open) -> None:
    page = connected(open_page(f"/applications/acme/{fresh.name}/?tab=data"))
    page.evaluate("window.stayed = true")
    expect(page.get_by_role("heading", name="No data has come yet")).to_be_visible()
    sent = file("flow.csv", "at,flow", "2026-03-01T00:00:00Z,12.5", "2026-03-01T01:00:00Z,11.8")
    page.locator("#feed-file").set_input_files([sent])
    expect(page.locator("[data-feed-chosen]")).to_contain_text("flow.csv")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("Batch 1 with 2 samples is in.")
    expect(page.get_by_label("Batches")).to_contain_text("pending")
    expect(page.get_by_text("of 100 samples until it learns")).to_be_visible()
    expect(page.locator("#received[data-drawn]")).to_be_visible()
    page.locator("#feed-file").set_input_files([sent])
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-feed-answer]")).to_contain_text("nothing was stored twice")
    assert Batch.objects.count() == 1
    page.locator("[data-feed-answer] a").click()
    expect(page.get_by_role("heading", name="Batch 1")).to_be_visible()
    expect(page.get_by_label("First samples")).to_contain_text("12.5")
    assert page.evaluate("window.stayed") is None


def test_what_is_wrong_with_a_file_is_told_line_by_line(fresh: Application, open_page: Open) -> None:
    page = connected(open_page(f"/applications/acme/{fresh.name}/?tab=data"))
    bad = file(
        "bad.jsonl",
        '{"at": "2026-03-01T00:00:00Z", "flow": 12.5}',
        '{"at": "2026-03-01T01:00:00Z", "flow": "much"}',
        '{"at": "2026-03-01T02:00:00Z", "flow": -1, "colour": "red"}',
    )
    page.locator("#feed-file").set_input_files([bad])
    page.get_by_role("button", name="Send").click()
    wrong = page.locator("[data-feed-answer]")
    expect(wrong).to_contain_text("Nothing was stored.")
    rows = wrong.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0).locator("td").nth(0)).to_have_text("2")
    expect(rows.nth(0).locator("td").nth(1)).to_have_text("flow")
    expect(rows.nth(2)).to_contain_text("colour")
    assert Batch.objects.count() == 0
    page.locator("#feed-file").set_input_files([file("notes.docx", "x")])
    expect(wrong).to_contain_text("neither .jsonl, .csv nor .parquet")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()


def told(run: LearningRun, kind: str, **body: Any) -> None:
    pages_learning.told(run, kind, **body)
    if kind == "progress":
        LearningRun.objects.filter(pk=run.pk).update(progress=body)
    notify("learning", application=run.application_id, run=run.pk)


def test_a_run_is_followed_from_learn_now_to_its_end(fresh: Application, open_page: Open) -> None:
    pages_learning.batch(fresh, 1, pages_learning.flows(0, 120))
    tab = connected(open_page(f"/applications/acme/{fresh.name}/?tab=learning"))
    tab.get_by_role("button", name="Learn now…").click()
    expect(tab.get_by_role("dialog")).to_contain_text("It learns from all data, 120 samples; 120 of them are new.")
    tab.get_by_role("button", name="Learn", exact=True).click()
    expect(tab.get_by_text("Learning run 1 is queued; it begins by itself.")).to_be_visible()
    run = LearningRun.objects.get()
    page = connected(open_page(f"/learning-runs/{run.pk}/"))
    for one in (tab, page):
        one.evaluate("window.stayed = true")
    expect(page.locator("[aria-current=step]")).to_have_text("queued")
    transitions.learning_run(run.pk, "begin", reason="It learns.", now=timezone.now(), started_at=timezone.now())
    told(run, "progress", fraction=0.25, message="epoch 1 of 4")
    told(run, "metric", name="loss", value=2.5, step=0)
    told(run, "log", stream="stdout", text="reading 120 hours\n")
    for one in (tab, page):
        expect(one.locator("[data-progress-words]")).to_have_text("epoch 1 of 4")
        expect(one.locator("#curve-loss[data-drawn]")).to_be_visible()
        expect(one.get_by_text("reading 120 hours")).to_be_visible()
    page.evaluate("document.getElementById('curve-loss').mine = true")
    told(run, "metric", name="loss", value=1.25, step=1)
    expect(page.locator(".ovd-curve figcaption")).to_contain_text("1.25")
    assert page.evaluate("document.getElementById('curve-loss').mine"), "the curve is drawn over, not anew"
    transitions.learning_run(run.pk, "fail", reason="It failed.", now=timezone.now(), error={"message": "Not enough."})
    expect(page.get_by_label("It failed")).to_contain_text("Not enough.")
    expect(tab.get_by_role("button", name="Learn now")).to_be_visible()
    assert all(one.evaluate("window.stayed") for one in (tab, page))


def rested(page: Page) -> None:
    """When a further click is not taken for the second half of a double click."""
    page.wait_for_selector("body:not([data-acting])")


def test_a_candidate_is_approved_and_undone_in_three_clicks(live: str, open_page: Open) -> None:
    app = pages_learning.digits(pages_rows.person())
    page = connected(open_page(f"/applications/acme/{app.name}/?tab=models"))
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("dialog")).to_contain_text("one click brings it back")
    page.get_by_role("button", name="Make it live").click()
    expect(page.get_by_role("heading", name="Version 2 is live")).to_be_visible()
    rested(page)
    page.get_by_role("button", name="Roll back to version 1…").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("heading", name="Version 1 is live")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Version 2 is live")).to_be_visible()
    found = models.live(app)
    assert found is not None
    assert found.number == 2


def test_a_candidate_is_approved_where_its_learning_is_looked_at(live: str, open_page: Open) -> None:
    app = pages_learning.digits(pages_rows.person())
    page = connected(open_page(f"/applications/acme/{app.name}/?tab=learning"))
    asked = page.get_by_label("Version 2 awaits approval")
    expect(asked).to_contain_text("accuracy is 0.913, 3.6 % higher than version 1")
    asked.get_by_role("link", name="Look at it closely").click()
    expect(page.locator("[data-story]")).to_contain_text("passed the gate and waits for a person")
    expect(page.locator("#pairs[data-drawn]")).to_be_visible()
    page.get_by_role("button", name="Approve: make version 2 live").click()
    expect(page.locator("[data-story]")).to_contain_text("It made version 2, which went live. Version 2 answers now.")
    expect(page.get_by_label("Why, and what came of it")).to_contain_text("to this day")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_what_makes_it_learn_is_paused_and_says_so_until_it_is_resumed(fresh: Application, open_page: Open) -> None:
    triggers.look(fresh.pk, timezone.now())
    page = connected(open_page(f"/applications/acme/{fresh.name}/?tab=learning"))
    page.evaluate("window.stayed = true")
    expect(page.locator("[data-next]")).to_have_text("Learns when 100 samples have arrived.")
    page.get_by_role("button", name="Pause…").click()
    page.get_by_label("Reason, for everybody who wonders").fill("The meter is being changed")
    page.get_by_role("button", name="Pause", exact=True).click()
    notice = page.get_by_label("It learns only when a person asks")
    expect(notice).to_contain_text("“The meter is being changed”")
    expect(page.locator("[data-next]")).to_have_text("Learns only when a person asks: ana paused what makes it learn.")
    pages_learning.batch(fresh, 1, pages_learning.flows(0, 120))
    triggers.look(fresh.pk, timezone.now())
    expect(page.locator("#evaluations")).to_contain_text("Skipped: paused by ana: The meter is being changed.")
    other = open_page(f"/applications/acme/{fresh.name}/")
    expect(other.locator("[data-key=card-learning]")).to_contain_text("Learns only when asked")
    rested(page)
    page.get_by_role("button", name="Let it learn by itself again").click()
    expect(page.locator("[data-messages]")).to_contain_text("made learning run 1 due")
    expect(notice).to_have_count(0)
    assert page.evaluate("window.stayed")


def test_taking_a_batch_down_names_the_versions_first(live: str, open_page: Open) -> None:
    app = pages_learning.digits(pages_rows.person())
    page = connected(open_page(f"/applications/acme/{app.name}/batches/1/"))
    page.get_by_role("button", name="Take down…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Versions 1, 2 learned from it")
    page.get_by_role("button", name="Take down", exact=True).click()
    expect(page.locator("#content")).to_contain_text("Its samples and files were removed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_learning_scrolls_sideways_on_a_telephone(live: str, open_page: Open, scheme: str) -> None:
    apps = pages_learning.platform()
    page = open_page("/applications/", width=390, color_scheme=scheme)
    places = [
        f"/applications/acme/{app.name}/?tab={tab}" for app in apps.values() for tab in ("data", "learning", "models")
    ]
    places += [f"/learning-runs/{run.pk}/" for run in LearningRun.objects.all()[:6]]
    places += ["/applications/acme/digits/batches/1/", "/applications/acme/water-flow/"]
    for place in places:
        page.goto(place)
        assert not scrolls_sideways(page), place
        page.wait_for_function(
            "() => [...document.querySelectorAll('[data-chart]')].every(one => one.dataset.drawn || !one.offsetParent)"
        )
    expect(page).to_have_url(re.compile("water-flow"))
