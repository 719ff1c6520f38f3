"""Search finds what a person may see: applications, releases, executions, machines, people, pages."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import makers
import pages_rows
from ovd_saas.store.records import User
from pages_parsed import Page

ClientOf = Callable[..., Client]


def page(client: Client, question: str, part: str = "") -> Page:
    headers = {"X-Fragment": part} if part else {}
    answer = client.get("/search/", {"q": question}, headers=headers)
    assert answer.status_code == 200
    return Page(answer.content.decode())


def found(client: Client, question: str) -> list[str]:
    """Where the hits lead to, the best first."""
    return page(client, question, "choices").links


@pytest.fixture
def member(client_of: ClientOf) -> Client:
    for slug in ("acme", "globex"):
        pages_rows.application("echo", pages_rows.ECHO, "Echo", slug=slug)
        pages_rows.application("water-flow", pages_rows.WATER, "Water", "An echo of rain.", slug=slug)
    return client_of("member")


def test_applications_are_found_by_name_title_and_summary_the_closest_first(member: Client) -> None:
    assert found(member, "echo") == ["/applications/acme/echo/", "/applications/acme/water-flow/"]
    assert found(member, "acme/ech") == ["/applications/acme/echo/"]
    assert found(member, "rain") == ["/applications/acme/water-flow/"]


def test_what_belongs_to_others_is_not_found(member: Client) -> None:
    assert "globex" not in "".join(found(member, "echo") + found(member, "globex"))
    assert found(member, "globex/echo 1") == []
    User.objects.update(is_staff=True)
    assert "/applications/globex/echo/" in found(member, "globex")


def test_a_release_is_found_by_its_number(member: Client) -> None:
    assert found(member, "acme/echo 1")[0] == "/applications/acme/echo/releases/1/"
    assert found(member, "echo release 1")[0] == "/applications/acme/echo/releases/1/"
    assert found(member, "acme/echo 2") == []


def test_an_execution_is_found_by_its_id_its_beginning_and_its_end(member: Client) -> None:
    from ovd_saas.store.records import Application

    ours, theirs = (
        pages_rows.execution(Application.objects.select_related("release").get(organisation__slug=slug, name="echo"))
        for slug in ("acme", "globex")
    )
    for question in (str(ours.pk), str(ours.pk)[:20], ours.pk.hex, f"…{str(ours.pk)[-8:]}", str(ours.pk)[10:22]):
        assert f"/executions/{ours.pk}/" in found(member, question), question
    assert found(member, str(theirs.pk)) == []
    assert found(member, str(theirs.pk)[-8:]) == []


def test_pages_are_found_by_what_one_does_there(member: Client) -> None:
    assert found(member, "walls") == ["/machines/"]
    assert "/tokens/" in found(member, "programs")
    assert "/home/" in found(member, "") and "/system/" not in found(member, "")
    User.objects.update(is_staff=True)
    assert "/system/" in found(member, "backup")


def test_machines_and_people_are_found_by_those_who_may_see_them(member: Client, client_of: ClientOf) -> None:
    pages_rows.runner("bench-7")
    makers.user("carla", "member"), makers.user("carl", "member", "globex")
    assert found(member, "bench-7") == [] and found(member, "carl") == []
    owner = client_of("owner")
    assert found(owner, "carl") == ["/people/?q=carla"]
    User.objects.filter(username="owner").update(is_staff=True)
    assert found(owner, "bench-7") == ["/machines/"]
    assert found(owner, "carl") == ["/people/?q=carl", "/people/?q=carla"]


def test_it_works_as_a_page_and_says_how_to_go_on_when_nothing_matches(member: Client) -> None:
    whole = page(member, "echo")
    assert "/applications/acme/echo/" in whole.links and whole.inline == []
    assert "Nothing that you may see has “no such thing”" in page(member, "no such thing").text
    assert "<script>" not in member.get("/search/", {"q": "<script>"}).content.decode()
    assert Client().get("/search/?q=echo").status_code == 302


@pytest.mark.parametrize("question", ["\0", "%", "_", "9" * 200, "a b c d e f", "----", "acme/echo 999999999", "ÿ…"])
def test_strange_questions_find_nothing_and_break_nothing(member: Client, question: str) -> None:
    page(member, question, "choices")


def test_many_applications_cost_as_many_questions_as_few(client_of: ClientOf) -> None:
    client = client_of("owner")
    asked = []
    for first in (0, 20):
        for number in range(first, first + 20):
            makers.application(f"echo-{number}")
        found(client, "echo 1")
        with CaptureQueriesContext(connection) as seen:
            found(client, "echo 1")
        asked.append(len(seen))
    assert asked[0] == asked[1] < 16
