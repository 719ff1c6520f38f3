"""The page of machines says which walls stand and why others do not; what memory, templates, processes there are."""

from collections.abc import Callable

import pytest
from django.test import Client

import makers
import pages_rows
from ovd_saas.store.records import Application, Runner
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def told(**facts: object) -> Runner:
    runner = pages_rows.runner()
    runner.facts |= facts
    runner.save()
    return runner


def text(client: Client) -> str:
    return Page(client.get("/machines/").content.decode()).text


def template(environment: str, *preload: str) -> dict[str, object]:
    told = {"environment": environment, "preload": list(preload), "pid": 77, "memory_mb": 40.0, "children": 3}
    return told | {"used_at": "2026-11-22T12:00:00Z"}


def test_all_walls_stand_or_the_missing_ones_say_why(echo: Application, client_of: ClientOf) -> None:
    told(walls={"files": "", "network": ""})
    assert "all 2 stand" in text(client_of("member"))
    told(walls={"files": "", "network": "Operation not permitted. Set it with sysctl."})
    said = text(client_of("member"))
    assert "1 of 2 cannot stand here" in said
    assert "A network of its own: not here. Operation not permitted. Set it with sysctl." in said


def test_memory_is_promised_to_processes_and_what_is_left_is_free(echo: Application, client_of: ClientOf) -> None:
    told(applications_mb=4096, templates_mb=1024, templates=[])
    pages_rows.process(echo, memory_mb=1024)
    Application.objects.filter(pk=makers.draft("waits").pk).update(waits_since=echo.since)
    said = text(client_of("member"))
    assert "3.0 GiB free" in said
    assert "1.0 GiB of 4.0 GiB promised" in said
    assert "1 application waits for memory." in said


def test_processes_say_how_they_were_born_and_after_how_long(echo: Application, client_of: ClientOf) -> None:
    pages_rows.process(echo, how="fork", ready_seconds=0.0123)
    for place in ("/machines/", "/applications/acme/echo/?tab=settings"):
        said = Page(client_of("member").get(place).content.decode()).text
        assert "forked" in said and "12 ms" in said


def test_templates_show_their_libraries_but_not_those_of_strangers(echo: Application, client_of: ClientOf) -> None:
    assert echo.release is not None
    told(templates=[template(echo.release.environment, "numpy", "numpy.ma"), template("sha256:" + "f" * 64, "torch")])
    said = text(client_of("member"))
    assert "numpy" in said and "torch" not in said
    assert "And 1 of applications that you do not see." in said
