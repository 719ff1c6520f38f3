"""The table of applications: rows for its script, orders, filters, and one action for many."""

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
from ovd_saas.panel.wanted import Wanted, read
from ovd_saas.store.records import Application, LearningRun, Lookout, Transition
from pages_parsed import Page

ClientOf = Callable[..., Client]
ROWS = "/applications/rows/"
BULK = "/applications/bulk/"


def order(client: Client, query: str) -> list[str]:
    ids = client.get(f"{ROWS}?{query}").json()["ids"]
    names = dict(Application.objects.values_list("pk", "name"))
    return [names[id_] for id_ in ids]


def test_the_rows_come_in_the_order_that_the_address_says(client_of: ClientOf) -> None:
    first, second, third = (makers.application(name) for name in ("aa", "bb", "cc"))
    makers.promotion(makers.model_version(second, 4))
    now = timezone.now()
    Application.objects.filter(pk=first.pk).update(next_at=now + timedelta(hours=2), since=now - timedelta(days=1))
    Application.objects.filter(pk=third.pk).update(next_at=now + timedelta(hours=1), service="awake", since=now)
    owner = client_of("owner")
    assert order(owner, "") == ["aa", "bb", "cc"]
    assert order(owner, "sort=-name") == ["cc", "bb", "aa"]
    assert order(owner, "sort=next") == ["cc", "aa", "bb"]
    assert order(owner, "sort=-model") == ["bb", "aa", "cc"]
    assert order(owner, "sort=state") == ["cc", "aa", "bb"]
    assert order(owner, "sort=-changed")[0] == "cc"
    assert order(owner, "sort=of-nobody") == ["aa", "bb", "cc"]


def test_those_that_learn_are_found(client_of: ClientOf) -> None:
    learner, _other = makers.application("learner"), makers.application("other")
    Lookout.objects.create(application=learner, learns=True)
    owner = client_of("owner")
    assert order(owner, "learns=yes") == ["learner"]
    assert order(owner, "learns=no") == ["other"]


def test_a_row_is_the_same_on_the_page_and_for_its_script(client_of: ClientOf) -> None:
    pages_rows.platform()
    owner = client_of("owner")
    page, answer = owner.get("/applications/").content.decode(), owner.get(ROWS).json()
    assert answer["matching"] == 7
    for row in answer["rows"].split("</tr>")[:-1]:
        name = row.split('class="ovd-name" href="')[1].split('"')[0]
        assert f'href="{name}"' in page


def test_the_rows_that_are_shown_are_told_wherever_they_belong_by_now(client_of: ClientOf) -> None:
    shown, other = makers.application("shown"), makers.application("other")
    foreign = makers.application("foreign", "elsewhere")
    answer = client_of("owner").get(f"{ROWS}?show=executing&shown={shown.pk},{foreign.pk}").json()
    assert answer["ids"] == []
    assert f'data-application="{shown.pk}"' in answer["rows"]
    assert f'data-application="{other.pk}"' not in answer["rows"]
    assert f'data-application="{foreign.pk}"' not in answer["rows"]


def test_the_address_says_what_is_not_usual_and_nothing_else() -> None:
    from django.http import QueryDict

    want = read(QueryDict("q=water&show=faulty&page=3&size=7&sort=nonsense"))
    assert want == Wanted(q="water", show="faulty", page=3)
    assert want.query(page=4) == "?q=water&show=faulty&page=4"
    assert want.query(q="", show="") == ""


@pytest.mark.parametrize("query", ["", "?sort=-release", "?q=app", "?learns=no&show=idle"])
def test_the_rows_need_the_same_queries_however_many_there_are(client_of: ClientOf, query: str) -> None:
    owner = client_of("owner")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert owner.get(ROWS + query).status_code == 200
        return len(seen)

    for number in range(3):
        pages_rows.execution(makers.application(f"app-{number}"))
    queries()
    few = queries()
    for number in range(3, 70):
        pages_rows.execution(makers.application(f"app-{number}"))
    assert queries() == few < 12


def chosen(*rows: Application) -> list[int]:
    return [row.pk for row in rows]


def test_many_are_told_before_what_will_become_of_each(client_of: ClientOf) -> None:
    asleep, awake = makers.application("asleep"), makers.application("awake")
    Application.objects.filter(pk=awake.pk).update(service="awake")
    text = Page(client_of("operator").get(BULK, {"action": "wake", "id": chosen(asleep, awake)}).content.decode()).text
    assert "Wake: 1 application" in text
    assert "acme/awake It is awake already." in text
    assert not Application.objects.exclude(wake_asked_at=None).exists()


def test_many_are_suspended_each_by_the_verb_of_one_and_can_be_enabled_again(client_of: ClientOf) -> None:
    first, second, held = (makers.application(name) for name in ("first", "second", "held"))
    Application.objects.filter(pk=held.pk).update(status="suspended")
    operator = client_of("operator")
    page = Page(operator.post(BULK, {"action": "suspend", "id": chosen(first, second, held)}).content.decode())
    assert "done for 2 applications" in page.text
    assert "It is suspended already." in page.text
    assert Transition.objects.filter(region="status", event="suspend").count() == 2
    assert "Undo" in page.text
    operator.post(BULK, {"action": "enable", "id": chosen(first, second)})
    assert Application.objects.filter(status="enabled").count() == 2


def test_many_learn(client_of: ClientOf) -> None:
    learner, empty, never = (
        makers.application("learner", learn={}),
        makers.application("empty", learn={}),
        makers.application("never"),
    )
    makers.batch(learner)
    text = Page(
        client_of("operator").post(BULK, {"action": "learn", "id": chosen(learner, empty, never)}).content.decode()
    ).text
    assert list(LearningRun.objects.values_list("application__name", flat=True)) == ["learner"]
    assert "no data has come" in text
    assert "acme/never does not learn" in text


def test_a_member_changes_none_of_them_and_a_stranger_sees_none(client_of: ClientOf) -> None:
    echo = makers.application("secret-echo")
    asked: dict[str, Any] = {"action": "suspend", "id": [echo.pk]}
    assert "an operator or owner can do this" in Page(client_of("member").post(BULK, asked).content.decode()).text
    assert "secret-echo" not in client_of(None).post(BULK, asked).content.decode()
    assert Application.objects.get(pk=echo.pk).status == "enabled"


def test_what_is_no_action_for_many_is_refused(client_of: ClientOf) -> None:
    echo = makers.application("echo")
    answer = client_of("owner").post(BULK, {"action": "retire", "id": [echo.pk]})
    assert (answer.status_code, Application.objects.get(pk=echo.pk).status) == (422, "enabled")


def test_foreseeing_needs_the_same_queries_for_one_as_for_many(client_of: ClientOf) -> None:
    rows = [makers.application(f"app-{number}", learn={}) for number in range(20)]
    operator = client_of("operator")

    def queries(*asked: Application) -> int:
        with CaptureQueriesContext(connection) as seen:
            operator.get(BULK, {"action": "learn", "id": chosen(*asked)})
        return len(seen)

    queries(rows[0])
    assert queries(rows[0]) == queries(*rows)
