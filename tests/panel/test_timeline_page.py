"""The timeline of everything, and of one application: who sees what, filters, causes and effects."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import makers
import pages_rows
from ovd_saas.store.records import Application, TriggerEvaluation, User
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def text(client: Client, address: str, **headers: str) -> str:
    return Page(client.get(address, headers=headers).content.decode()).text


def test_it_tells_what_happened_to_all_that_one_may_see(echo: Application, client_of: ClientOf) -> None:
    foreign = makers.application("secret-one", "elsewhere")
    pages_rows.moved(echo, "service", "asleep", "waking", "Somebody waits.", 60)
    pages_rows.moved(foreign, "service", "asleep", "waking", "A foreign reason.", 50)
    TriggerEvaluation.objects.create(
        application=echo, kind="data", decision="skipped", reason="Skipped: only 3 of 10 samples.", at=timezone.now()
    )
    seen = text(client_of("member"), "/timeline/", **{"X-Fragment": "entries"})
    assert "acme/echo" in seen and "Somebody waits." in seen and "only 3 of 10 samples" in seen
    assert "foreign" not in seen
    staff = client_of("owner")
    User.objects.filter(username="owner").update(is_staff=True)
    assert "A foreign reason." in text(staff, "/timeline/")
    assert client_of("member").get("/timeline/?application=elsewhere/secret-one").status_code == 404
    assert "foreign" not in text(client_of("member"), "/timeline/?organisation=elsewhere", **{"X-Fragment": "entries"})


def test_it_is_filtered_by_its_address(echo: Application, client_of: ClientOf) -> None:
    pages_rows.moved(echo, "service", "asleep", "waking", "Somebody waits.", 60)
    pages_rows.moved(echo, "status", "enabled", "suspended", "Suspended by bo.", 50, actor="user:bo")
    member = client_of("member")
    for query in (
        "kind=status",
        "actor=bo",
        "q=SUSPENDED",
        f"since={timezone.now() - timedelta(seconds=55):%Y-%m-%dT%H:%M:%S}",
    ):
        seen = text(member, f"/timeline/?{query}", **{"X-Fragment": "entries"})
        assert "Suspended by bo." in seen and "Somebody waits." not in seen, query
    assert "Nothing like this ever happened" in text(member, "/timeline/?actor=nobody")
    assert member.get("/timeline/?before=nonsense").status_code == 404
    assert member.get("/timeline/?after=nonsense").status_code == 404


def test_from_a_cause_to_its_effects_and_back(echo: Application, client_of: ClientOf) -> None:
    run = makers.learning_run(echo, 7)
    TriggerEvaluation.objects.create(
        application=echo, kind="data", decision="due", reason="Due: 120 samples.", cause="batch 17", run=run,
        at=timezone.now(),
    )  # fmt: skip
    model = makers.model_version(echo, 4, run=run)
    pages_rows.moved(echo, "learning", "resting", "due", "It is due.", 30, cause="learning-run:7")
    pages_rows.moved(echo, "model", "", str(model.number), "It passed the gate.", 20, cause="learning-run:7")
    pages_rows.moved(echo, "service", "asleep", "waking", "Somebody waits.", 10)
    member = client_of("member")
    listed = member.get("/timeline/").content.decode()
    effects = "/timeline/?application=acme/echo&cause=learning-run%3A7"
    assert effects.replace("&", "&amp;") in listed
    seen = text(member, effects)
    assert "Everything that learning run 7 of acme/echo caused." in seen
    assert "Due: 120 samples." in seen and "batch 17" in seen and "model version 4" in seen
    assert "It is due." in seen and "It passed the gate." in seen and "Somebody waits." not in seen


@pytest.mark.parametrize("cause", ["learning-run:99", "learning-run:x", "execution:x", "release:9", "process:1", "<b>"])
def test_a_cause_that_is_none_is_told_by_its_name(echo: Application, client_of: ClientOf, cause: str) -> None:
    answer = client_of("member").get("/timeline/", {"application": "acme/echo", "cause": cause})
    assert (
        answer.status_code == 200
        and f"Everything that {cause} of acme/echo caused." in Page(answer.content.decode()).text
    )


def test_the_tab_of_an_application_is_the_same_for_that_one(echo: Application, client_of: ClientOf) -> None:
    other = makers.application("other")
    pages_rows.moved(echo, "service", "asleep", "waking", "Somebody waits.", 60)
    pages_rows.moved(other, "service", "asleep", "waking", "Of the other one.", 50)
    seen = text(client_of("member"), "/applications/acme/echo/?tab=timeline")
    assert "Somebody waits." in seen and "Of the other one." not in seen


def test_what_is_new_is_told(echo: Application, client_of: ClientOf) -> None:
    first = pages_rows.moved(echo, "service", "asleep", "waking", "Somebody waits.", 60)
    member = client_of("member")
    asked = f"/timeline/?after={first.pk}-0"
    assert text(member, asked, **{"X-Fragment": "news"}).strip() == ""
    pages_rows.moved(echo, "service", "waking", "awake", "A process is ready.", 50)
    assert "1 new entry" in text(member, asked, **{"X-Fragment": "news"})


def test_it_needs_the_same_queries_however_much_happened(echo: Application, client_of: ClientOf) -> None:
    member = client_of("member")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert member.get("/timeline/?kind=service").status_code == 200
        return len(seen)

    pages_rows.moved(echo, "service", "asleep", "waking", "Somebody waits.", 60)
    queries()
    few = queries()
    for number in range(60):
        app = makers.application(f"app-{number}") if number % 10 == 0 else echo
        pages_rows.moved(app, "service", "asleep", "waking", "Somebody waits.", number)
    assert queries() == few < 15
