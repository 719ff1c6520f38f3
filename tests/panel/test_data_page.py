"""Data of an application: what is said of it, samples by kind and page by page, labels."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import makers
import pages_learning
import pages_rows
from ovd_saas.panel import sample_rows, sample_words
from ovd_saas.store.records import Application, Batch, Execution, Lookout, User
from pages_parsed import Page

ClientOf = Callable[..., Client]


@pytest.fixture
def ana(db: None) -> User:
    return pages_rows.person()


@pytest.fixture
def fresh(ana: User) -> Application:
    return pages_learning.fresh()


def tab(client: Client, app: Application) -> Page:
    return Page(client.get(f"/applications/acme/{app.name}/?tab=data").content.decode())


def said(app: Application, lookout: Lookout | None = None, **numbers: int) -> str:
    return " ".join(sample_words.outlook(app, lookout, **{"came": 500, "least": 100, **numbers}))


def test_a_sentence_says_what_is_there_what_is_missing_and_what_comes_next() -> None:
    app, next_up = Application(learning="resting"), Lookout(next_what="Learns at the next time of its schedule.")
    assert said(app, next_up, pending=88) == (
        "88 of 100 samples are there; 12 more and it learns. Learns at the next time of its schedule."
    )
    assert said(app, pending=1200).startswith("1,200 samples are not learned yet: that is enough to learn.")
    assert said(app, pending=0) == "Everything that came has been learned."
    assert said(app, came=0, pending=0) == "Nothing has come yet."
    assert said(Application(learning="due"), next_up, pending=120).endswith("Learning is due.")
    assert "is paused" in said(app, Lookout(next_what="Never.", paused_at=timezone.now()), pending=3)


def test_what_a_sample_holds_is_said_in_words() -> None:
    schema = {"properties": pages_learning.FLOW_SAMPLE, "required": ["at", "flow"]}
    assert sample_words.schema(schema, "flow") == [
        "Moment is a date with its time.",
        "Flow is a number, at least 0 l/s: it is what the application learns to say.",
        "Valve is open, half or closed; it may be missing.",
    ]
    assert sample_words.schema({}, "label") == []


def test_the_latest_samples_stand_on_the_tab_by_kind(ana: User, client_of: ClientOf) -> None:
    app = pages_learning.digits(ana)
    answer = client_of("member").get(f"/applications/acme/{app.name}/?tab=data")
    assert "What came last: batch 3" in Page(answer.content.decode()).text
    digest = Batch.objects.get(number=3).files[0]
    assert f"/applications/acme/digits/batches/3/files/{digest}" in answer.content.decode()


def test_a_batch_is_read_page_by_page_and_no_sample_is_missed(
    fresh: Application, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_learning.batch(fresh, 1, pages_learning.flows(0, 55))
    monkeypatch.setattr(sample_rows, "READ", 1500)  # fewer samples than a page holds
    member, query, numbers = client_of("member"), "", []
    while True:
        answer = member.get(f"/applications/acme/fresh/batches/1/{query}")
        samples = answer.context["samples"]
        numbers += [number for number, _cells in samples.rows]
        further = [link for link in Page(answer.content.decode()).links if link.startswith("?at=")]
        if not further:
            break
        query = further[0]
    assert numbers == list(range(1, 56))


def test_an_address_in_the_middle_of_a_sample_is_refused(fresh: Application, client_of: ClientOf) -> None:
    pages_learning.batch(fresh, 1, pages_learning.flows(0, 55))
    member = client_of("member")
    for query in ("?at=7&n=2", "?at=999999999", "?at=1&n=99"):
        assert member.get(f"/applications/acme/fresh/batches/1/{query}").status_code == 404, query
    assert member.get("/applications/acme/fresh/batches/1/?at=-1&n=x").status_code == 200
    assert client_of(None).get("/applications/acme/fresh/batches/1/").status_code == 404


def test_series_and_long_texts_become_small(fresh: Application) -> None:
    batch = pages_learning.batch(
        fresh, 1, [{"flow": {"times": [], "values": [1, None, 3.5]}, "note": "x" * 300, "odd": {"a": [1]}}]
    )
    samples = sample_rows.read(batch, {}, most=5)
    assert samples is not None
    [(number, [series, note, odd])] = samples.rows
    assert (number, series["count"], series["line"]) == (1, 3, "0.0,26.0 120.0,2.0")
    assert (len(note["words"]), note["whole"]) == (80, "x" * 300)
    assert odd["text"] == json.dumps({"a": [1]})


def test_a_file_of_a_batch_is_only_what_can_do_no_harm(fresh: Application, client_of: ClientOf) -> None:
    script = pages_rows.stored("x.html", "text/html", b"<script>alert(1)</script>")
    pages_learning.batch(fresh, 1, [{"file": script}], files=[script["digest"]])
    member, address = client_of("member"), f"/applications/acme/fresh/batches/1/files/{script['digest']}"
    for query in ("", "?as=text/html", "?as=image/svg+xml"):
        answer = member.get(address + query)
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
    assert member.get(f"{address}?as=audio/mpeg")["Content-Type"] == "audio/mpeg"
    assert member.get(address)["X-Content-Type-Options"] == "nosniff"


def test_results_that_nobody_judged_are_offered_and_judged_ones_are_not(ana: User, client_of: ClientOf) -> None:
    app = pages_learning.digits(ana)
    execution, member = Execution.objects.get(), client_of("member")
    page = tab(member, app)
    assert "Say what was right" in page.text
    assert f"/executions/{execution.pk}/" in page.links
    answer = member.post(f"/executions/{execution.pk}/feedback/", {"label": "7", "from": "data"})
    assert answer["Location"] == f"/applications/acme/{app.name}/?tab=data"
    assert "Say what was right" not in tab(member, app).text


def test_a_label_that_the_samples_do_not_allow_is_refused(ana: User, client_of: ClientOf) -> None:
    pages_learning.digits(ana)
    execution = Execution.objects.get()
    answer = client_of("member").post(
        f"/executions/{execution.pk}/feedback/", {"label": "77"}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert Batch.objects.count() == 3


def test_the_tab_asks_the_database_as_often_whatever_came(
    ana: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    app, operator = pages_learning.digits(ana), client_of("operator")
    for number in range(4, 9):
        makers.batch(app, number)
        pages_rows.execution(app, ana, outputs={"label": 3, "confidence": 0.5})
    with django_assert_max_num_queries(20):
        operator.get(f"/applications/acme/{app.name}/?tab=data")
    with django_assert_max_num_queries(12):
        operator.get(f"/applications/acme/{app.name}/batches/1/")
