"""The pages of applications offer exactly what is legal, and say what is going on."""

import itertools
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import makers
import pages_rows
from ovd_saas.domain import applications as rules
from ovd_saas.store.records import Application
from pages_parsed import Page

ClientOf = Callable[..., Client]
PLACE = "/applications/acme/echo/"


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


def put(application: Application, **states: str) -> None:
    Application.objects.filter(pk=application.pk).update(**states)


STATES = [
    ("draft", "asleep"),
    ("retired", "asleep"),
    *itertools.product(("enabled", "suspended"), ("asleep", "waking", "awake", "draining")),
]


@pytest.mark.parametrize(("status", "service"), STATES)
def test_the_buttons_are_exactly_the_legal_actions(
    echo: Application, client_of: ClientOf, status: str, service: str
) -> None:
    put(echo, status=status, service=service)
    legal = rules.legal_actions(status, service, "healthy")
    wanted = {action for action in rules.ACTIONS if legal[action] is None}
    page = Page(client_of("operator").get(PLACE, headers={"X-Fragment": "head"}).content.decode())
    offered = set(page.actions) | ({"retire"} if "Retire…" in page.text else set())
    assert offered == wanted


@pytest.mark.parametrize(("status", "service"), STATES)
def test_a_forged_action_is_refused_with_the_reason(
    echo: Application, client_of: ClientOf, status: str, service: str
) -> None:
    put(echo, status=status, service=service)
    operator = client_of("operator")
    for action, reason in rules.legal_actions(status, service, "healthy").items():
        if reason is None:
            continue
        answer = operator.post(f"{PLACE}actions/", {"action": action, "confirm": "echo"})
        assert answer.status_code == 409
        assert reason in Page(answer.content.decode()).text
        said = operator.post(
            f"{PLACE}actions/", {"action": action, "confirm": "echo"}, headers={"Accept": "application/json"}
        )
        assert (said.status_code, said.json()["code"]) == (409, "not_allowed")


def test_suspending_can_be_undone(echo: Application, client_of: ClientOf) -> None:
    operator = client_of("operator")
    answer = operator.post(f"{PLACE}actions/", {"action": "suspend"}, headers={"Accept": "application/json"})
    undo = answer.json()["undo"]
    assert Application.objects.get(pk=echo.pk).status == "suspended"
    operator.post(undo["url"], {"action": undo["action"]})
    assert Application.objects.get(pk=echo.pk).status == "enabled"


def test_retiring_needs_the_name(echo: Application, client_of: ClientOf) -> None:
    put(echo, status="suspended")
    operator = client_of("operator")
    refused = operator.post(f"{PLACE}actions/", {"action": "retire", "confirm": "ecko"})
    assert (refused.status_code, Application.objects.get(pk=echo.pk).status) == (422, "suspended")
    operator.post(f"{PLACE}actions/", {"action": "retire", "confirm": "echo"})
    assert Application.objects.get(pk=echo.pk).status == "retired"


def test_every_application_is_counted_once(client_of: ClientOf) -> None:
    pages_rows.platform()
    fleet = client_of("owner").get("/applications/").context["fleet"]
    assert (fleet.idle, fleet.learning, fleet.executing, fleet.faulty) == (1, 1, 2, 1)
    assert (fleet.draft, fleet.suspended, fleet.retired, fleet.all) == (1, 1, 0, 7)


def test_the_list_is_found_by_words_and_by_state(client_of: ClientOf) -> None:
    pages_rows.platform()
    owner = client_of("owner")

    def names(query: str) -> list[str]:
        return [row.name for row, _ in owner.get(f"/applications/?{query}").context["rows"]]

    assert names("q=WATER+forecast") == ["water-flow"]
    assert names("q=acme/echo") == ["echo"]
    assert names("show=faulty") == ["turbine-wear"]
    assert names("show=executing") == ["echo", "water-flow"]
    assert names("show=suspended") == ["old-forecast"]
    assert names("show=draft") == ["brand-new"]
    assert names("q=nothing-of-this-name") == []
    assert names("organisation=elsewhere") == []


def test_a_page_of_the_list_needs_the_same_queries_however_many_applications_there_are(client_of: ClientOf) -> None:
    owner = client_of("owner")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert owner.get("/applications/").status_code == 200
        return len(seen)

    pages_rows.execution(makers.application("first"))
    few = queries()
    for number in range(70):
        pages_rows.execution(makers.application(f"app-{number}"))
    assert queries() == few
    assert len(owner.get("/applications/").context["rows"]) == 50
    assert len(owner.get("/applications/?page=2").context["rows"]) == 21


def test_without_any_application_the_list_says_how_to_begin(client_of: ClientOf) -> None:
    text = Page(client_of("author").get("/applications/").content.decode()).text
    assert "No application lives here yet" in text
    assert "ovd new" in text
    assert "ovd push" in text
    assert "ovd push" not in Page(client_of("member").get("/applications/").content.decode()).text


def test_a_cursor_that_is_none_is_not_found(echo: Application, client_of: ClientOf) -> None:
    assert client_of("owner").get(f"{PLACE}?tab=executions&before=nonsense").status_code == 404


def test_making_an_earlier_release_current_needs_an_author(echo: Application, client_of: ClientOf) -> None:
    later = makers.release(echo, 2)
    place = f"{PLACE}releases/2/use/"
    assert client_of("member").post(place).status_code == 403
    assert client_of("author").post(place).status_code == 302
    assert Application.objects.get(pk=echo.pk).release_id == later.pk


def test_about_says_how_it_wakes_and_what_keeps_it_awake(echo: Application, client_of: ClientOf) -> None:
    assert echo.release is not None
    sleep = {"wake": "fork", "preload": ["numpy", "numpy.ma"], "keep_awake": "08:00-18:00", "time_zone": "Europe/Paris"}
    echo.release.manifest |= {"sleep": sleep, "execute": {"max_replicas": 3}}
    echo.release.save()
    said = Page(client_of("member").get(f"{PLACE}?tab=settings").content.decode()).text
    assert "is forked from a template, which has imported numpy" in said
    assert "08:00-18:00, Europe/Paris" in said and "up to 3" in said
