"""What an action would meet now is told before; title and summary are written by authors; the slower one is told."""

from collections.abc import Callable

import pytest
from django.test import Client

import makers
import pages_rows
from ovd_saas.store.records import Application
from pages_parsed import Page

ClientOf = Callable[..., Client]
PLACE = "/applications/acme/echo/"


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def head(client: Client) -> str:
    return Page(client.get(PLACE, headers={"X-Fragment": "head"}).content.decode()).text


def test_suspending_says_what_becomes_of_what_waits_runs_and_learns(echo: Application, client_of: ClientOf) -> None:
    ana = pages_rows.person()
    operator = client_of("operator")
    assert "Now:" not in head(operator)
    for _ in range(2):
        pages_rows.unfinished(echo, ana, "queued", inputs={})
    pages_rows.unfinished(echo, ana, inputs={})
    makers.learning_run(echo, 3, "running")
    said = head(operator)
    assert "1 execution that runs may finish. 2 executions that wait stay in the queue" in said
    assert "Learning run 3 saves a checkpoint and pauses" in said


def test_retiring_says_what_fails_and_who_goes_on(echo: Application, client_of: ClientOf) -> None:
    pages_rows.unfinished(echo, pages_rows.person(), "queued", inputs={})
    makers.learning_run(echo, 3, "queued")
    Application.objects.filter(pk=makers.application("adopter").pk).update(upstream=echo)
    Application.objects.filter(pk=echo.pk).update(status="suspended")
    answer = client_of("operator").get(PLACE, headers={"X-Fragment": "consequences"})
    said = Page(answer.content.decode()).text
    assert "1 execution that waits fails." in said
    assert "Learning run 3 is cancelled" in said
    assert "1 application that adopted it goes on" in said


def test_the_slower_of_two_is_told_who_was_faster(echo: Application, client_of: ClientOf) -> None:
    client_of("operator").post(f"{PLACE}actions/", {"action": "suspend"})
    answer = client_of("owner").post(f"{PLACE}actions/", {"action": "suspend"}, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert "It is suspended already. Suspended by operator, 1 s ago." in answer.json()["detail"]


def test_authors_write_title_and_summary(echo: Application, client_of: ClientOf) -> None:
    words = {"title": "Echo of all", "summary": "Says it again."}
    assert client_of("operator").post(f"{PLACE}describe/", words).status_code == 403
    assert client_of(None).post(f"{PLACE}describe/", words).status_code == 404
    author = client_of("author")
    assert author.post(f"{PLACE}describe/", words).status_code == 302
    echo.refresh_from_db()
    assert (echo.title, echo.summary) == ("Echo of all", "Says it again.")
    assert author.post(f"{PLACE}describe/", {"title": " ", "summary": ""}).status_code == 422
    echo.refresh_from_db()
    assert echo.title == "Echo of all"


def test_settings_has_what_the_tabs_about_and_processes_had(echo: Application, client_of: ClientOf) -> None:
    pages_rows.process(echo)
    for tab in ("settings", "about", "processes"):
        said = Page(client_of("member").get(f"{PLACE}?tab={tab}").content.decode()).text
        for word in ("Title and summary", "Network", "What it may use", "How it wakes", "bench-1", "512 MB"):
            assert word in said
        assert "It is enabled, and retiring is final. Suspend it first." in said
