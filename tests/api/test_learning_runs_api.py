"""Learning runs of the API: started, read, followed and cancelled, and refused with a reason that helps."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import Client
from django.utils import timezone

import makers
from api.listening import Listener
from api.reading import problem
from ovd_saas.api.v1 import learning_runs
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import learning_runs as queries
from ovd_saas.store.records import Application, LearningEvent, LearningRun

A = "/api/v1/applications/acme/flow"
RUNS = f"{A}/learning-runs"
FIELDS = {
    "id", "number", "application", "status", "trigger", "cause", "reason", "release", "parent", "snapshot", "candidate",
    "progress", "metrics", "gate", "error", "seed", "attempts", "created_at", "created_by", "started_at", "finished_at",
    "seconds", "digests", "log_url", "events_url",
}  # fmt: skip


@pytest.fixture
def flow(db: None) -> Application:
    """An application that learns."""
    return makers.application("flow", learn={"data": "all"})


def send(client: Client, path: str, body: Any = None) -> Any:
    """Without a body, as many clients post."""
    if body is None:
        return client.generic("POST", path)
    return client.post(path, body, content_type="application/json")


@transaction.atomic
def tell(run: LearningRun, kind: str, body: dict[str, Any]) -> None:
    """As AppCore does it: the row first, then its event."""
    LearningRun.objects.filter(pk=run.pk).update(progress=body if kind == "progress" else None)
    LearningEvent.objects.create(run=run, kind=kind, body=body, at=timezone.now())
    notify("learning", application=run.application_id, run=run.pk)


def kinds(found: list[Any]) -> list[str]:
    return [event.kind for event in found]


# starting


def test_starting_a_run_answers_202_with_the_run_and_where_it_is(owner: Client, flow: Application) -> None:
    answer = send(owner, RUNS)
    made = answer.json()
    assert answer.status_code == 202
    assert set(made) == FIELDS
    assert (made["number"], made["status"], made["trigger"], made["cause"]) == (1, "queued", "manual", "user:owner")
    assert made["reason"] == "owner asked for it."
    assert answer["Location"] == f"/api/v1/learning-runs/{made['id']}"
    assert owner.get(answer["Location"]).json() == made
    assert owner.get(RUNS).json() == {"items": [made], "next": None}
    assert owner.get(A).json()["learning"] == "due"


def test_a_note_says_why_it_was_started(owner: Client, flow: Application) -> None:
    made = send(owner, RUNS, {"note": " The sensor was replaced. "}).json()
    assert made["reason"] == "owner asked for it: The sensor was replaced."
    learning = next(row for row in owner.get(f"{A}/timeline").json()["items"] if row["region"] == "learning")
    assert (learning["reason"], learning["cause"]) == (made["reason"], "learning-run:1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"note": 5}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"note": "a\0b"}, "note"),
        ({"not": "known"}, "not"),
        ({"status": "promoted"}, "status"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_starts(
    owner: Client, flow: Application, body: dict[str, Any], field: str
) -> None:
    found = problem(send(owner, RUNS, body), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [field]
    assert owner.get(RUNS).json()["items"] == []


def test_a_second_run_is_refused_while_one_is_open(owner: Client, flow: Application) -> None:
    send(owner, RUNS)
    found = problem(send(owner, RUNS), 409, "already_learning")
    assert "Learning run 1 of acme/flow is queued" in found["detail"]


def test_what_does_not_learn_says_why(owner: Client, flow: Application, echo: Application) -> None:
    assert "no table [learn]" in problem(send(owner, RUNS.replace("flow", "echo")), 409, "not_learning")["detail"]
    Application.objects.filter(pk=flow.pk).update(status="suspended")
    assert "suspended" in problem(send(owner, RUNS), 409, "not_learning")["detail"]
    Application.objects.filter(pk=flow.pk).update(status="retired")
    assert "it learns no more" in problem(send(owner, RUNS), 409, "not_learning")["detail"]
    assert [owner.get(f"/api/v1/applications/acme/{name}").json()["learns"] for name in ("flow", "echo")] == [
        True,
        False,
    ]


# reading


def test_a_run_tells_where_it_came_from_and_what_it_made(owner: Client, flow: Application) -> None:
    parent = makers.model_version(flow, 1)
    run = makers.learning_run(
        flow, 2, parent=parent, snapshot=makers.snapshot(flow, last=3, samples=30),
        candidate=makers.model_version(flow, 2), gate={"passed": True, "sentence": "Better."}, metrics={"loss": 0.5},
    )  # fmt: skip
    found = owner.get(f"/api/v1/learning-runs/{run.pk}").json()
    assert (found["parent"], found["candidate"], found["release"], found["application"]) == (1, 2, 1, "acme/flow")
    assert found["snapshot"] == {
        "digest": run.snapshot.digest, "batches": [1, 3], "samples": 30, "train": 24, "holdout": 6,
    }  # fmt: skip
    assert (found["gate"]["sentence"], found["metrics"], found["seconds"]) == ("Better.", {"loss": 0.5}, 1.5)


def test_runs_are_listed_newest_first_page_by_page_and_by_status(owner: Client, flow: Application) -> None:
    for number, status in enumerate(["failed", "promoted", "rejected", "promoted", "running"], start=1):
        makers.learning_run(flow, number, status)
    first = owner.get(RUNS, {"limit": 3}).json()
    rest = owner.get(RUNS, {"limit": 3, "cursor": first["next"]}).json()
    assert [run["number"] for run in first["items"] + rest["items"]] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
    some = owner.get(RUNS, {"status": ["promoted", "failed"]}).json()["items"]
    assert [run["number"] for run in some] == [4, 2, 1]


@pytest.mark.parametrize("query", ["status=happy", "limit=0", "cursor=x", "colour=red"])
def test_a_wrong_parameter_is_named(owner: Client, flow: Application, query: str) -> None:
    found = problem(owner.get(f"{RUNS}?{query}"), 422, "invalid")
    assert [error["field"] for error in found["errors"]] == [query.partition("=")[0]]


def test_a_list_costs_the_same_number_of_queries_however_long(
    owner: Client, flow: Application, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 21):
        makers.learning_run(flow, number, snapshot=makers.snapshot(flow, last=number))
    with django_assert_max_num_queries(8):
        assert len(owner.get(RUNS).json()["items"]) == 20


def test_the_log_is_plain_text(owner: Client, flow: Application) -> None:
    run = makers.learning_run(flow, log="epoch 1: ä\n<script>\n")
    answer = owner.get(f"/api/v1/learning-runs/{run.pk}/log")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content.decode() == "epoch 1: ä\n<script>\n"


@pytest.mark.parametrize("what", ["", "/log", "/events"])
def test_a_run_that_is_not_there_is_404(owner: Client, what: str) -> None:
    path = f"/api/v1/learning-runs/00000000-0000-7000-8000-000000000000{what}"
    problem(owner.get(path), 404, "not_found")


# cancelling


def test_a_run_is_cancelled_once(owner: Client, flow: Application) -> None:
    place = send(owner, RUNS)["Location"]
    cancelled = send(owner, f"{place}/cancel").json()
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "Cancelled by owner.")
    assert cancelled["finished_at"]
    assert owner.get(A).json()["learning"] == "resting"
    found = problem(send(owner, f"{place}/cancel"), 409, "already_finished")
    assert "cancelled already" in found["detail"]
    assert send(owner, RUNS).json()["number"] == 2


# who may


@pytest.mark.parametrize(("role", "status"), [("member", 403), ("author", 403), ("operator", 202), ("owner", 202)])
def test_operators_and_owners_let_it_learn(
    client_of: Callable[..., Client], flow: Application, role: str, status: int
) -> None:
    assert send(client_of(role), RUNS).status_code == status


@pytest.mark.parametrize(("role", "status"), [("member", 403), ("author", 403), ("operator", 200), ("owner", 200)])
def test_operators_and_owners_cancel(
    client_of: Callable[..., Client], owner: Client, flow: Application, role: str, status: int
) -> None:
    place = send(owner, RUNS)["Location"]
    assert send(client_of(role), f"{place}/cancel").status_code == status
    assert owner.get(place).json()["status"] == ("cancelled" if status == 200 else "queued")


@pytest.mark.parametrize("role", ["member", "author", "operator"])
def test_every_role_may_read_runs_and_logs(client_of: Callable[..., Client], flow: Application, role: str) -> None:
    run = makers.learning_run(flow)
    for path in (RUNS, f"/api/v1/learning-runs/{run.pk}", f"/api/v1/learning-runs/{run.pk}/log"):
        assert client_of(role).get(path).status_code == 200


def test_to_a_stranger_no_run_is_there(client_of: Callable[..., Client], flow: Application) -> None:
    run, stranger = makers.learning_run(flow, status="queued"), client_of(None)
    place = f"/api/v1/learning-runs/{run.pk}"
    for path in (RUNS, place, f"{place}/log", f"{place}/events"):
        problem(stranger.get(path), 404, "not_found")
    for path in (RUNS, f"{place}/cancel"):
        problem(send(stranger, path), 404, "not_found")
    run.refresh_from_db()
    assert run.status == "queued"


# following


async def test_a_run_is_followed_to_its_end_also_by_who_comes_back(listener: Listener, flow: Application) -> None:
    run = await sync_to_async(makers.learning_run)(flow, status="running")
    path = f"/api/v1/learning-runs/{run.pk}/events"
    happen: Callable[..., Any] = sync_to_async(tell)
    found: list[Any] = []
    told = [
        ("status", {"status": "running", "reason": "It learns."}),
        ("progress", {"fraction": 0.5, "message": "half"}),
        ("metric", {"name": "loss", "value": 0.25, "step": 10}),
        ("log", {"stream": "stdout", "text": "epoch 1\n"}),
        ("checkpoint", {"size": 10}),
    ]
    async with asyncio.timeout(30):
        for kind, body in told:
            stream = listener.follow(path, found[-1].id if found else None)
            waiting = asyncio.create_task(anext(stream))
            await happen(run, kind, body)
            found.append(await waiting)
            await stream.aclose()  # type: ignore[attr-defined]
        rest = asyncio.create_task(listener.all(path, found[-1].id))
        await sync_to_async(fail)(run)
        found += await rest
    assert [(event.kind, event.body) for event in found[:5]] == told
    assert kinds(found)[5:] == ["status", "done"]
    assert (found[-1].body["status"], found[-1].body["id"]) == ("failed", str(run.pk))
    assert [event.id for event in found] == sorted({event.id for event in found})
    assert found == await listener.all(path)
    assert (await listener.get(path, found[-1].id)).status_code == 204


def fail(run: LearningRun) -> None:
    Application.objects.filter(pk=run.application_id).update(learning="learning")
    assert transitions.learning_run(run.pk, "fail", reason="It broke.", now=timezone.now())


async def test_done_is_the_run_as_it_reads(listener: Listener, flow: Application, owner: Client) -> None:
    run = await sync_to_async(makers.learning_run)(flow)
    (done,) = await listener.all(f"/api/v1/learning-runs/{run.pk}/events")
    read = await sync_to_async(owner.get)(f"/api/v1/learning-runs/{run.pk}")
    assert (done.kind, done.body) == ("done", read.json())


def test_a_run_that_waits_for_a_person_is_told_to_its_end_and_once_more_when_it_is_decided(flow: Application) -> None:
    run = makers.learning_run(flow, status="awaiting", candidate=makers.model_version(flow))
    first = learning_runs.news(run.pk, 0)
    assert first.is_over
    assert (kinds(first.events), first.events[-1].body["status"]) == (["done"], "awaiting")
    assert transitions.learning_run(run.pk, "promote", reason="ana approved it.", now=timezone.now())
    more = learning_runs.news(run.pk, first.events[-1].id)
    assert (kinds(more.events)[-1], more.events[-1].body["status"]) == ("done", "promoted")


def test_a_long_stream_is_read_in_pieces(flow: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST", 2)
    run = makers.learning_run(flow, status="promoted")
    for number in range(5):
        tell(run, "metric", {"name": "loss", "value": number, "step": number})
    found: list[Any] = []
    while not found or found[-1].kind != "done":
        news = learning_runs.news(run.pk, found[-1].id if found else 0)
        assert news.is_more != news.is_over
        found += news.events
    assert [event.body["value"] for event in found[:-1]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30])
def test_an_event_that_never_was_is_refused(owner: Client, flow: Application, last: str) -> None:
    run = makers.learning_run(flow)
    answer = owner.get(f"/api/v1/learning-runs/{run.pk}/events", headers={"Last-Event-ID": last})
    assert [error["field"] for error in problem(answer, 422, "invalid")["errors"]] == ["Last-Event-ID"]
