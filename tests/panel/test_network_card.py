"""The card about the network: what is asked for, what is allowed, and the form by which an operator decides."""

from collections.abc import Callable

import pytest
from django.test import Client

import pages_rows
from ovd_saas.store.records import Application
from pages_parsed import Page

ClientOf = Callable[..., Client]
PLACE = "/applications/acme/echo/"


@pytest.fixture
def echo(db: None) -> Application:
    made = pages_rows.application("echo", pages_rows.ECHO, "Echo")
    assert made.release is not None
    made.release.manifest["network"] = {"hosts": ["api.example.org", "data.example.org:8080"]}
    made.release.save()
    return made


def about(client: Client) -> str:
    return Page(client.get(f"{PLACE}?tab=settings").content.decode()).text


def test_nothing_is_reached_until_an_operator_allows_it(echo: Application, client_of: ClientOf) -> None:
    operator = client_of("operator")
    assert "Nothing can be reached until an operator allows it." in about(operator)
    assert "reaches nothing until an operator allows it" in Page(operator.get(PLACE).content.decode()).text
    answer = operator.post(f"{PLACE}network/", {"host": ["api.example.org:443"], "more": "later.example.org\n x.org:1"})
    assert answer.status_code == 302
    echo.refresh_from_db()
    assert echo.network_allowed == ["api.example.org:443", "later.example.org:443", "x.org:1"]
    said = about(operator)
    assert "may reach 1 host" in said and "data.example.org:8080 asked for, not allowed" in said
    assert "1 host allowed" not in said
    timeline = Page(operator.get(f"{PLACE}?tab=timeline").content.decode()).text
    assert "Network 3 hosts allowed, after 0 hosts" in timeline and "operator allowed api.example.org:443" in timeline


def test_all_is_taken_back_by_choosing_none(echo: Application, client_of: ClientOf) -> None:
    Application.objects.update(network_allowed=["api.example.org:443"])
    client_of("operator").post(f"{PLACE}network/", {"more": ""})
    echo.refresh_from_db()
    assert echo.network_allowed == []


@pytest.mark.parametrize("role", ["member", "author"])
def test_others_see_it_and_may_not_change_it(echo: Application, client_of: ClientOf, role: str) -> None:
    client = client_of(role)
    page = client.get(f"{PLACE}?tab=settings").content.decode()
    assert "asked for, not allowed" in page and 'name="host"' not in page
    assert client.post(f"{PLACE}network/", {"host": ["api.example.org:443"]}).status_code == 403
    echo.refresh_from_db()
    assert echo.network_allowed == []


def test_what_is_no_host_is_refused_in_words(echo: Application, client_of: ClientOf) -> None:
    answer = client_of("operator").post(f"{PLACE}network/", {"more": "https://x.org"})
    assert answer.status_code == 422
    assert "cannot be allowed. Write a host with a port" in Page(answer.content.decode()).text
