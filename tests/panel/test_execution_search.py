"""Executions of an application, searched: each filter, pages, and how far one look goes."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

import pages_rows
from ovd_saas.store.queries import executions
from ovd_saas.store.records import Application, Execution, Release
from pages_parsed import Page

ClientOf = Callable[..., Client]
TAB = "/applications/acme/echo/?tab=executions"


@pytest.fixture
def echo(db: None) -> Application:
    return pages_rows.application("echo", pages_rows.ECHO, "Echo")


@pytest.fixture
def made(echo: Application) -> list[Execution]:
    """One a minute, the newest first: bob's failed every third, of release 2 every fifth."""
    people = [pages_rows.person("ana"), pages_rows.person("bob", "member")]
    second = Release.objects.create(
        application=echo, number=2, state="ready", digest="sha256:2", schema={}, manifest={}
    )
    return [
        pages_rows.execution(
            echo,
            people[index % 3 == 0],
            60 * index + 1,
            status="failed" if index % 3 == 0 else "succeeded",
            **({"release": second} if index % 5 == 0 else {}),
        )
        for index in range(30)
    ]


def found(client: Client, query: str) -> list[str]:
    answer = client.get(f"{TAB}&{query}")
    assert answer.status_code == 200
    return [str(row.pk) for row in answer.context["executions"].items]


def ids(rows: list[Execution]) -> list[str]:
    return [str(row.pk) for row in rows]


def test_each_filter_finds_its_own(made: list[Execution], client_of: ClientOf) -> None:
    member = client_of("member")
    assert found(member, "") == ids(made)
    assert found(member, "status=failed") == ids(made[::3])
    assert found(member, "who=bob") == ids(made[::3])
    assert found(member, "release=2") == ids(made[::5])
    assert found(member, "status=succeeded&release=2") == ids([row for row in made[::5] if row.status == "succeeded"])
    assert found(member, f"id={str(made[7].pk)[-8:]}") == ids([made[7]])
    assert found(member, f"id={made[7].pk}") == ids([made[7]])
    assert found(member, f"id={str(made[7].pk).upper()}") == ids([made[7]])
    assert len(found(member, "span=hour")) == 30
    assert found(member, "from=2001-01-01&to=2001-01-02") == []
    assert found(member, "who=nobody") == []


def test_nonsense_in_the_address_is_left_out(made: list[Execution], client_of: ClientOf) -> None:
    member = client_of("member")
    for query in (
        "status=odd",
        "release=x",
        "span=ever",
        "id=%00",
        "from=today",
        "id=zz'",
        "release=99999999999999999",
    ):
        assert len(found(member, query)) == 30, query
    assert client_of("member").get(f"{TAB}&before=nonsense").status_code == 404


def test_pages_keep_the_filter_and_lose_nothing(
    made: list[Execution], client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ovd_saas.panel.pages import executions as page

    monkeypatch.setattr(page, "PER_PAGE", 4)
    member, seen, query = client_of("member"), [], "status=failed"
    while query:
        answer = member.get(f"{TAB}&{query}")
        seen += [row.pk for row in answer.context["executions"].items]
        older = answer.context["executions"].next
        links = Page(answer.content.decode()).links
        query = f"status=failed&before={older}" if older else ""
        assert not older or any("status=failed" in link and older in link for link in links)
    assert seen == [row.pk for row in made[::3]]


def test_what_is_rare_is_looked_for_step_by_step(
    made: list[Execution], client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "WINDOW", 10)
    Execution.objects.filter(pk=made[25].pk).update(status="expired")
    member, query, steps = client_of("member"), "status=expired", 0
    while True:
        answer = member.get(f"{TAB}&{query}")
        steps += 1
        if answer.context["executions"].items:
            break
        assert "Looked through 10 executions" in Page(answer.content.decode()).text
        query = f"status=expired&before={answer.context['executions'].next}"
    assert [row.pk for row in answer.context["executions"].items] == [made[25].pk]
    assert steps == 3


def test_a_search_asks_as_often_whatever_it_finds(
    made: list[Execution], client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    member = client_of("member")
    with django_assert_max_num_queries(12):
        member.get(f"{TAB}&status=failed&who=bob&id=0&release=2")


def test_nothing_found_says_how_to_see_all(made: list[Execution], client_of: ClientOf) -> None:
    page = Page(client_of("member").get(f"{TAB}&status=expired").content.decode())
    assert "None matches" in page.text
    assert "?tab=executions" in page.links
