"""Triggers of the API: notices that new data arrived, and every evaluation with its reason."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import makers
from api.reading import problem
from ovd_saas.appcore import learning_runs, triggers
from ovd_saas.store.records import Application, LearningRun, TriggerEvaluation

A = "/api/v1/applications/acme/flow"
FIELDS = {"id", "kind", "decision", "reason", "cause", "learning_run", "again_at", "at"}


@pytest.fixture
def flow(db: None) -> Application:
    """An application that learns from 100 samples, and may pull a folder."""
    return makers.application("flow", learn={"min_samples": 100, "sources": [{"address": "/srv/flow"}]})


@pytest.fixture
def plain(db: None) -> Application:
    """Learns, and declares no source."""
    return makers.application("flow", learn={"min_samples": 100})


def send(client: Client, body: Any = None) -> Any:
    if body is None:
        return client.generic("POST", f"{A}/notify")
    return client.post(f"{A}/notify", body, content_type="application/json")


def test_a_notice_answers_202_with_what_came_of_it(owner: Client, plain: Application) -> None:
    answer = send(owner, {"note": "night import"})
    assert answer.status_code == 202, answer.content
    evaluation = answer.json()["evaluation"]
    run = LearningRun.objects.get()
    assert set(evaluation) == FIELDS
    assert (evaluation["kind"], evaluation["decision"]) == ("notice", "due")
    assert evaluation["learning_run"] == {"id": str(run.pk), "number": 1}
    assert evaluation["cause"] == "notice of user:owner: night import"
    assert evaluation["at"].endswith("Z")


def test_a_notice_without_a_body_is_one_as_well(owner: Client, plain: Application) -> None:
    assert send(owner).status_code == 202
    assert send(owner).json()["evaluation"]["reason"] == "Waits: looked at again when learning run 1 ends."


def test_a_notice_that_names_a_source_has_it_pulled(owner: Client, flow: Application) -> None:
    evaluation = send(owner, {"source": "/srv/flow"}).json()["evaluation"]
    assert (evaluation["decision"], evaluation["cause"], evaluation["learning_run"]) == (
        "waits",
        "source /srv/flow",
        None,
    )
    flow.refresh_from_db()
    assert flow.pull_asked_at is not None


def test_an_unknown_source_is_422_and_the_declared_ones_are_named(owner: Client, flow: Application) -> None:
    refused = problem(send(owner, {"source": "s3://other"}), 422, "unknown_source")
    assert "/srv/flow" in refused["detail"] and refused["errors"][0]["field"] == "source"
    assert TriggerEvaluation.objects.count() == 0


def test_an_unknown_member_is_422(owner: Client, plain: Application) -> None:
    assert send(owner, {"sources": []}).status_code == 422


def test_an_application_that_does_not_learn_is_409(owner: Client, echo: Application) -> None:
    refused = owner.post("/api/v1/applications/acme/echo/notify", {}, content_type="application/json")
    assert "can only be executed" in problem(refused, 409, "not_learning")["detail"]


@pytest.mark.parametrize("role", ["member", "author", "operator", "owner"])
def test_every_member_may_notify_and_look(client_of: Callable[..., Client], plain: Application, role: str) -> None:
    assert send(client_of(role)).status_code == 202
    assert client_of(role).get(f"{A}/triggers").status_code == 200


def test_a_stranger_finds_nothing(client_of: Callable[..., Client], plain: Application) -> None:
    assert send(client_of(None)).status_code == 404
    assert client_of(None).get(f"{A}/triggers").status_code == 404


def evaluate(application: Application) -> None:
    """A batch that is not enough, a person's run, and a batch while it is open."""
    makers.delivered(application, 12)
    triggers.look(application.pk, timezone.now())
    learning_runs.submit(
        application=application, trigger="manual", cause="user:ana", reason="Ana asked for it.", by="user:ana",
        now=timezone.now(),
    )  # fmt: skip
    makers.delivered(application, 12)
    triggers.look(application.pk, timezone.now())


def test_every_evaluation_is_listed_with_its_reason_newest_first(owner: Client, plain: Application) -> None:
    evaluate(plain)
    items = owner.get(f"{A}/triggers").json()["items"]
    assert [(item["kind"], item["decision"]) for item in items] == [
        ("data", "waits"), ("manual", "due"), ("data", "skipped")
    ]  # fmt: skip
    assert items[-1]["reason"] == "Skipped: only 12 of 100 samples." and items[-1]["cause"] == "batch 1"
    assert items[1]["learning_run"]["number"] == 1


def test_the_list_goes_on_with_a_cursor_and_is_filtered(owner: Client, plain: Application) -> None:
    evaluate(plain)
    first = owner.get(f"{A}/triggers?limit=2").json()
    rest = owner.get(f"{A}/triggers", {"limit": 2, "cursor": first["next"]}).json()
    assert len(first["items"]) == 2 and len(rest["items"]) == 1 and rest["next"] is None
    assert [one["kind"] for one in owner.get(f"{A}/triggers?kind=manual").json()["items"]] == ["manual"]
    assert [one["decision"] for one in owner.get(f"{A}/triggers?kind=data&decision=waits").json()["items"]] == ["waits"]


def test_an_unknown_kind_and_a_broken_cursor_are_refused(owner: Client, plain: Application) -> None:
    assert owner.get(f"{A}/triggers?kind=moon").status_code == 422
    assert owner.get(f"{A}/triggers?cursor=x").status_code in (400, 422)


def test_triggers_are_paused_and_resumed_by_operators(client_of: Callable[..., Client], plain: Application) -> None:
    operator = client_of("operator")
    problem(client_of("member").post(f"{A}/triggers/pause", {}, content_type="application/json"), 403, "forbidden")
    problem(client_of(None).post(f"{A}/triggers/pause", {}, content_type="application/json"), 404, "not_found")
    answer = operator.post(f"{A}/triggers/pause", {"reason": "The meter"}, content_type="application/json").json()
    assert (answer["paused"]["by"], answer["paused"]["reason"]) == ("user:operator", "The meter")
    assert "operator paused" in answer["next"]
    problem(operator.generic("POST", f"{A}/triggers/pause"), 409, "already_paused")
    answer = operator.generic("POST", f"{A}/triggers/resume").json()
    assert (answer["paused"], answer["next"]) == (None, "Learns when 100 samples have arrived.")
    problem(operator.generic("POST", f"{A}/triggers/resume"), 409, "not_paused")
