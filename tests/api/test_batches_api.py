"""Batches, feedback and sources through the API: shapes, who may, and what is said when it is not possible."""

import asyncio
import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import makers
from api.making import make_execution
from api.reading import problem
from ovd.fields import Field
from ovd_saas.files import store
from ovd_saas.store.records import Application, Batch, SourceFile

A = "/api/v1/applications/acme/flow"
CONTENT = b'{"flow": 1, "at": "2022-03-01"}\n'


@pytest.fixture
def flow(db: None) -> Application:
    return makers.learning_application(sources=[{"address": "incoming", "schedule": "0 3 * * *"}])


def stored(flow: Application, number: int = 1, **also: Any) -> Batch:
    return makers.batch(flow, number, digest=store.put(CONTENT), size=len(CONTENT), samples=1, **also)


def test_batches_are_listed_newest_first_with_a_cursor(owner: Client, flow: Application) -> None:
    for number in (1, 2, 3):
        makers.batch(flow, number)
    page = owner.get(f"{A}/batches?limit=2").json()
    assert [one["number"] for one in page["items"]] == [3, 2]
    page = owner.get(f"{A}/batches?limit=2&cursor={page['next']}").json()
    assert ([one["number"] for one in page["items"]], page["next"]) == ([1], None)


def test_a_batch_has_the_documented_shape(owner: Client, flow: Application) -> None:
    stored(flow, step=(run := makers.learning_run(flow, status="promoted")))
    said = owner.get(f"{A}/batches/1").json()
    assert set(said) == {"id", "number", "samples", "size", "digest", "status", "kind", "media_type", "origin",
                         "learning_run", "created_at", "taken_down_at"}  # fmt: skip
    assert (said["status"], said["learning_run"]) == ("learned", {"id": str(run.pk), "number": run.number})
    problem(owner.get(f"{A}/batches/2"), 404, "not_found")


def test_its_content_is_streamed_until_it_is_taken_down(client_of: Any, flow: Application) -> None:
    stored(flow)
    member = client_of("member")
    answer = member.get(f"{A}/batches/1/content")
    assert bytes_of(answer) == CONTENT
    assert answer["Content-Type"] == "application/x-ndjson"
    problem(member.delete(f"{A}/batches/1"), 403, "forbidden")
    operator = client_of("operator")
    said = operator.delete(f"{A}/batches/1").json()
    assert (said["batch"]["status"], said["models"]) == ("taken_down", [])
    problem(member.get(f"{A}/batches/1/content"), 410, "taken_down")
    assert operator.delete(f"{A}/batches/1").status_code == 200


def test_taking_down_names_the_models_that_learned_from_it(owner: Client, flow: Application) -> None:
    batch = stored(flow)
    snapshot = makers.snapshot(flow, batches=[[1, batch.digest, 1]])
    makers.model_version(flow, 4, snapshot=snapshot)
    (model,) = owner.delete(f"{A}/batches/1").json()["models"]
    assert (model["number"], model["status"]) == (4, "candidate")


def test_files_of_its_samples_are_there_and_no_others(owner: Client, flow: Application) -> None:
    stored(flow, files=[digest := store.put(b"picture")])
    assert bytes_of(owner.get(f"{A}/batches/1/files/{digest}")) == b"picture"
    problem(owner.get(f"{A}/batches/1/files/{store.put(b'other')}"), 404, "not_found")


def test_foreign_batches_are_not_there(client_of: Any, flow: Application) -> None:
    stored(flow)
    stranger = client_of(None)
    for path in ("batches", "batches/1", "batches/1/content", "sources"):
        problem(stranger.get(f"{A}/{path}"), 404, "not_found")
    problem(stranger.delete(f"{A}/batches/1"), 404, "not_found")


def bytes_of(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return asyncio.run(read())


# feedback


def give(client: Client, execution: Any, body: Any) -> Any:
    return client.post(f"/api/v1/executions/{execution.pk}/feedback", json.dumps(body), content_type="application/json")


def test_any_member_may_give_feedback(client_of: Any) -> None:
    fields = (Field("text", name="text"), Field("text", name="label"))
    execution = make_execution(makers.learning_application(fields=fields))
    answer = give(client_of("member"), execution, {"label": "greeting"})
    assert answer.status_code == 201, answer.content
    assert answer["Location"] == f"{A}/batches/1"
    assert (answer.json()["kind"], answer.json()["origin"]) == ("feedback", {"execution": str(execution.pk)})
    assert give(client_of("member"), execution, {"label": "greeting"}).status_code == 200
    found = problem(give(client_of("member"), execution, {"label": 5}), 422, "invalid")
    assert found["errors"][0]["field"] == "label"
    problem(give(client_of("member"), execution, {}), 422, "invalid")
    problem(give(client_of(None), execution, {"label": "x"}), 404, "not_found")


def test_feedback_where_nothing_learns_is_409(owner: Client, echo: Application) -> None:
    problem(give(owner, make_execution(echo), {"label": "x"}), 409, "not_learning")
    failed = make_execution(echo, status="failed")
    problem(give(owner, failed, {"label": "x"}), 409, "not_judgeable")


# sources


def test_sources_say_what_became_of_each_file(owner: Client, flow: Application) -> None:
    now = timezone.now()
    for path, error, batch in (("a.csv", "", stored(flow)), ("b.csv", "line 2: no", None), ("", "not allowed", None)):
        SourceFile.objects.create(
            application=flow, source="incoming", path=path, version="1", error=error, batch=batch, seen_at=now
        )
    (source,) = owner.get(f"{A}/sources").json()["items"]
    assert (source["address"], source["schedule"], source["error"]) == ("incoming", "0 3 * * *", "not allowed")
    assert source["next_at"]
    assert {one["path"]: (one["batch"], one["error"]) for one in source["files"]} == {
        "a.csv": (1, None), "b.csv": (None, "line 2: no"),
    }  # fmt: skip
