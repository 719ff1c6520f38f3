"""What end users say about a run, and whether it may be learned from, in a real browser."""

import re

import pytest
from django.test import Client
from playwright.sync_api import expect

import pages_learning
import pages_rows
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Batch, Execution
from pages_browser import Open, connected


@pytest.fixture
def digits(live: str) -> Application:
    return pages_learning.digits(pages_rows.person())


def test_the_right_answer_is_one_click_and_becomes_a_sample(digits: Application, open_page: Open) -> None:
    execution = Execution.objects.get()
    page = connected(open_page(f"/a/acme/digits/executions/{execution.pk}/"))
    expect(page.get_by_role("button", name="7, as it said")).to_be_visible()
    page.get_by_role("button", name="4", exact=True).click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    said = page.get_by_label("Thank you")
    expect(said).to_contain_text("ana said")
    expect(said).to_contain_text("the next time the application learns, it learns from it too")
    batch = Batch.objects.get(number=4)
    assert (batch.kind, batch.samples) == ("feedback", 1)
    assert b'"label":4' in files.read(batch.digest)
    page.wait_for_selector("body:not([data-acting])")
    page.get_by_text("Say something else").click()
    page.get_by_role("button", name="9", exact=True).click()
    expect(said.locator("strong").first).to_have_text("9")
    execution.refresh_from_db()
    assert execution.feedback is not None
    assert execution.feedback["label"] == 9


def test_without_a_script_the_answer_is_taken_as_well(digits: Application, open_page: Open) -> None:
    execution = Execution.objects.get()
    page = open_page(f"/a/acme/digits/executions/{execution.pk}/", java_script_enabled=False)
    page.get_by_role("button", name="7, as it said").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def test_consent_is_asked_only_where_it_is_used_and_is_sent(live: str, open_page: Open) -> None:
    ana = pages_rows.person()
    echo = pages_rows.application("echo", pages_rows.ECHO, "Echo")
    page = connected(open_page("/a/acme/echo/?sample=greeting"))
    expect(page.get_by_label("The application may learn from this run")).to_have_count(0)
    pages_learning.teach(echo, {"from_executions": True}, {}, {"message": pages_rows.prop("text", 0)})
    page.reload()
    consent = page.get_by_label("The application may learn from this run")
    expect(consent).not_to_be_checked()
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile("/executions/"))
    page.goto("/a/acme/echo/?sample=greeting")
    consent.check()
    expect(page.locator("#code")).to_contain_text('"consent":true')
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile("/executions/"))
    consents = Execution.objects.filter(created_by=ana).order_by("created_at").values_list("consent", flat=True)
    assert list(consents) == [False, True]


def test_what_makes_no_sample_is_not_asked_about(live: str, client: Client) -> None:
    """A forecast whose samples need a moment that no run has: a label alone would make none."""
    ana = pages_rows.person()
    pages_learning.water(ana)
    execution = Execution.objects.get()
    Execution.objects.update(feedback=None)
    client.force_login(ana)
    page = client.get(f"/a/acme/water-flow/executions/{execution.pk}/")
    assert b"Was this right?" not in page.content
    assert b"Version 3, learned" in page.content
    assert client.post(f"/a/acme/water-flow/executions/{execution.pk}/feedback/", {"label": "3"}).status_code == 404


def test_a_number_is_typed_or_said_to_be_right(live: str, open_page: Open) -> None:
    ana = pages_rows.person()
    schema = pages_rows.schema(
        {"load": pages_rows.prop("number", 0)}, {"wear": pages_rows.prop("number", 0)}, ["load"], []
    )
    app = pages_rows.application("wear", schema, "Wear")
    sample = {"load": pages_rows.prop("number", 0), "wear": pages_rows.prop("number", 1, unit="mm", title="Wear")}
    app = pages_learning.teach(app, {"label": "wear"}, {}, sample)
    one = pages_rows.execution(app, ana, inputs={"load": 3.5}, outputs={"wear": 0.25})
    page = connected(open_page(f"/a/acme/wear/executions/{one.pk}/"))
    expect(page.get_by_role("button", name="Yes, 0.25 mm is right")).to_be_visible()
    page.get_by_label("No, it is").fill("0.5")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Thank you")).to_contain_text("0.5")
    assert files.read(Batch.objects.get().digest) == b'{"load":3.5,"wear":0.5}\n'


def test_the_page_says_which_version_answers_and_when_it_learned(digits: Application, open_page: Open) -> None:
    page = connected(open_page("/a/acme/digits/"))
    expect(page.locator("#content")).to_contain_text("Version 1 answers. It learned last 3 days ago from 48 samples.")
