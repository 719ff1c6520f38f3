"""The page of machines says which walls stand and why others do not; what memory, templates, processes there are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import makers
import pages_rows
from ovd_saas.store.records import Application, Measure, Runner, User
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


def staff(client_of: ClientOf) -> Client:
    client = client_of("owner")
    User.objects.filter(username="owner").update(is_staff=True)
    return client


def post(client: Client, address: str, **data: str) -> Any:
    return client.post(address, data, headers={"Accept": "application/json"})


def measured(runner: Runner, minutes: float, busy: float, **also: int) -> None:
    values = {"used_mb": 2048, "admitted_mb": 512, "processes": 1, "waiting": 0, **also}
    at = timezone.now() - timedelta(minutes=minutes)
    Measure.objects.create(runner=runner, at=at, busy_cpus=busy, **values)


def test_a_machine_is_told_in_sentences_and_its_curves_in_words(echo: Application, client_of: ClientOf) -> None:
    runner = told(applications_mb=4096)
    pages_rows.process(echo, memory_mb=1024)
    for minutes, busy in ((3, 1.0), (2, 3.5), (90, 8.0)):
        measured(runner, minutes, busy, waiting=2 if busy == 3.5 else 0)
    said = text(client_of("member"))
    assert "It takes work: one process lives there. 1.0 GiB of 4.0 GiB of memory are promised." in said
    assert "Processors at work: 2.2 on average, at most 3.5 of 8" in said
    assert "At the worst moment 2 executions waited on the whole platform." in said
    figure = client_of("member").get("/machines/?span=day").context["machines"][0].curves["processors"]
    assert figure["most"] == 8
    assert max(figure["parts"][1]["values"]) == 8.0


def test_a_machine_that_was_never_measured_says_when_it_will_be(echo: Application, client_of: ClientOf) -> None:
    told()
    assert "it is measured once a minute, and kept for two weeks" in text(client_of("member"))


def test_staff_drains_a_machine_is_told_before_what_happens_and_takes_it_back(
    echo: Application, client_of: ClientOf
) -> None:
    runner = told()
    pages_rows.process(echo)
    operator = client_of("operator")
    assert "Drain…" not in text(operator)
    refused = post(operator, f"/machines/{runner.pk}/drain/")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    ana = staff(client_of)
    said = text(ana)
    assert "One application that is awake finishes what it runs and falls asleep." in said
    assert "It is the only machine: everything that is asked for waits until you take it back." in said
    undo = post(ana, f"/machines/{runner.pk}/drain/", reason="New memory").json()["undo"]
    said = text(operator)
    assert "being drained" in said and "Drained by owner" in said and "New memory" in said
    assert post(ana, f"/machines/{runner.pk}/drain/").json()["code"] == "already_drained"
    assert post(ana, undo["url"], action=undo["action"]).status_code == 200
    assert "being drained" not in text(operator)
    assert post(ana, undo["url"]).status_code == 409
    assert post(ana, "/machines/999/drain/").status_code == 404


def test_with_a_second_machine_draining_one_says_that_the_others_take_over(
    echo: Application, client_of: ClientOf
) -> None:
    told()
    pages_rows.runner("bench-2")
    assert "starts on the other machines" in text(staff(client_of))


def test_an_operator_evicts_a_process_of_their_own_and_is_refused_when_it_has_ended(
    echo: Application, client_of: ClientOf
) -> None:
    process = pages_rows.process(echo)
    address = f"/machines/processes/{process.pk}/evict/"
    assert "Evict…" not in text(client_of("member"))
    assert post(client_of("member"), address).status_code == 403
    assert post(client_of(None), address).status_code == 404
    operator = client_of("operator")
    assert "What runs in it may finish" in text(operator)
    assert "the next request wakes it again" in post(operator, address).json()["message"]
    process.refresh_from_db()
    assert (process.state, process.end_reason) == ("draining", "Evicted by operator.")
    again = post(operator, address)
    assert (again.status_code, again.json()["code"]) == (409, "not_evictable")


def test_two_templates_of_one_environment_are_told_apart_by_what_they_imported(
    echo: Application, client_of: ClientOf
) -> None:
    assert echo.release is not None
    environment = echo.release.environment
    told(templates=[template(environment, "numpy"), {**template(environment, "numpy", "scipy.signal"), "pid": 78}])
    page = text(client_of("member"))
    assert page.count("another template of it has imported something else") == 2
    assert "all 2 imports" in page and "numpy scipy.signal" in page
    assert "acme/echo" in page


def test_what_waits_says_why_and_strangers_see_nothing_of_it(echo: Application, client_of: ClientOf) -> None:
    user = pages_rows.person()
    why = "Waits for memory: needs 512 MB, 200 of 4,096 MB are free."
    Application.objects.filter(pk=echo.pk).update(next_what=why)
    for _ in range(3):
        pages_rows.unfinished(echo, user, "queued")
    said = text(client_of("member"))
    assert "3 executions wait" in said and why in said
    Application.objects.filter(pk=echo.pk).update(service="awake", next_what="Falls asleep, if nobody uses it.")
    assert "Whoever waits gets the next free place." in text(client_of("member"))
    assert "Nothing waits" in text(client_of(None))


def test_the_page_asks_the_same_however_much_lives_and_waits(echo: Application, client_of: ClientOf) -> None:
    runner = told(applications_mb=4096)
    pages_rows.process(echo)
    pages_rows.unfinished(echo, pages_rows.person(), "queued")
    measured(runner, 1, 0.5)
    ana = staff(client_of)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert ana.get("/machines/").status_code == 200
        return len(seen)

    few = queries()
    for number in range(5):
        other = pages_rows.application(f"echo-{number}", pages_rows.ECHO)
        pages_rows.process(other)
        pages_rows.unfinished(other, pages_rows.person(), "queued")
        measured(runner, number, 0.5)
    assert queries() == few <= 25
