"""Streams of an execution: everything that happened once, in order, however often the connection is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.listening import Listener
from api.making import make_execution
from api.reading import Sent, problem
from ovd_saas.api import streams
from ovd_saas.api.v1 import events
from ovd_saas.appcore import executions
from ovd_saas.store import transitions
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import events as queries
from ovd_saas.store.records import Application, Execution, ExecutionEvent

PHOTO = {"name": "a.png", "media_type": "image/png", "size": 1, "digest": "sha256:" + "a" * 64}


def path(execution: Execution) -> str:
    return f"/api/v1/executions/{execution.pk}/events"


@transaction.atomic
def tell(execution: Execution, kind: str, body: dict[str, Any]) -> None:
    """As the gateway does it: the row first, then its event."""
    Execution.objects.filter(pk=execution.pk).update(progress=body if kind == "progress" else None)
    ExecutionEvent.objects.create(execution=execution, kind=kind, body=body, at=timezone.now())
    notify("execution", id=execution.pk, application=execution.application_id, status="running")


def finish(execution: Execution, **also: Any) -> None:
    transitions.execution(execution.pk, "succeed", now=timezone.now(), **also)


def kinds(found: list[Any]) -> list[str]:
    return [event.kind for event in found]


def test_what_was_over_at_once_is_told_from_its_record(echo: Application) -> None:
    quick = make_execution(echo, log="counting\n", outputs={"count": 3, "photo": PHOTO})
    news = events.news(quick.pk, 0)
    assert news.is_over
    assert [(event.id, event.kind) for event in news.events] == [
        (1, "status"), (2, "log"), (3, "output"), (4, "output"), (5, "done"),
    ]  # fmt: skip
    assert news.events[0].body == {"status": "succeeded"}
    assert news.events[1].body["text"] == "counting\n"
    outputs = {event.body["name"]: event.body["value"] for event in news.events[2:4]}
    assert outputs["count"] == 3
    assert outputs["photo"]["url"] == f"/api/v1/executions/{quick.pk}/files/{PHOTO['digest']}"
    assert news.events[4].body["outputs"] == outputs


def test_outputs_and_logs_that_were_streamed_are_not_told_again(echo: Application) -> None:
    running = make_execution(echo, status="running", outputs=None, finished_at=None)
    tell(running, "status", {"status": "running"})
    tell(running, "log", {"stream": "stdout", "text": "one\n"})
    tell(running, "output", {"name": "partial", "value": PHOTO})
    finish(running, outputs={"partial": PHOTO, "total": 9}, log="one\n")
    found = events.news(running.pk, 0).events
    assert kinds(found) == ["status", "log", "output", "status", "output", "done"]
    assert found[2].body["value"]["url"].endswith(PHOTO["digest"])
    assert found[4].body == {"name": "total", "value": 9}


happening = st.sampled_from(
    [
        ("log", {"stream": "stdout", "text": "line\n"}),
        ("progress", {"fraction": 0.5, "message": "half"}),
        ("output", {"name": "early", "value": 1}),
        ("status", {"status": "queued"}),
    ]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(happening, max_size=6), log=st.sampled_from(["", "text"]), most=st.integers(1, 4))
def test_leaving_after_any_event_and_coming_back_misses_and_repeats_nothing(
    echo: Application, told: list[tuple[str, dict[str, Any]]], log: str, most: int
) -> None:
    running = make_execution(echo, status="running", outputs=None, finished_at=None)
    for kind, body in told:
        tell(running, kind, body)
    finish(running, outputs={"early": 1, "late": 2}, log=log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "MOST", most)
        whole = collect(running.pk, 0)
        assert [event.id for event in whole] == sorted({event.id for event in whole})
        assert kinds(whole)[-1] == "done"
        assert kinds(whole).count("done") == 1
        for index, event in enumerate(whole):
            assert collect(running.pk, event.id) == whole[index + 1 :]


def collect(execution_id: UUID, after: int) -> list[streams.Event]:
    found: list[streams.Event] = []
    while True:
        news = events.news(execution_id, found[-1].id if found else after)
        found += news.events
        if news.is_over:
            return found
        assert news.is_more


async def test_a_stream_of_what_is_over_ends_after_done(listener: Listener, echo: Application) -> None:
    quick = await sync_to_async(make_execution)(echo)
    found = await listener.all(path(quick))
    assert kinds(found) == ["status", "output", "done"]
    assert found[-1].body["id"] == str(quick.pk)
    assert await listener.all(path(quick), found[0].id) == found[1:]


async def test_who_has_everything_is_told_not_to_come_back(listener: Listener, echo: Application) -> None:
    quick = await sync_to_async(make_execution)(echo)
    found = await listener.all(path(quick))
    assert (await listener.get(path(quick), found[-1].id)).status_code == 204


async def test_what_happens_is_told_while_it_happens_also_to_who_comes_back(
    listener: Listener, echo: Application
) -> None:
    running = await sync_to_async(make_execution)(echo, status="running", outputs=None, finished_at=None)
    happen: Callable[..., Any] = sync_to_async(tell)
    await happen(running, "status", {"status": "running"})
    found: list[Sent] = []
    async with asyncio.timeout(30):
        for number in range(3):
            stream = listener.follow(path(running), found[-1].id if found else None)
            waiting = asyncio.create_task(anext(stream))
            await happen(running, "progress", {"fraction": number / 3, "message": ""})
            found.append(await waiting)
            await stream.aclose()  # type: ignore[attr-defined]
        rest = asyncio.create_task(listener.all(path(running), found[-1].id))
        await happen(running, "log", {"stream": "stdout", "text": "last\n"})
        await sync_to_async(finish)(running, outputs={"count": 1})
        found += await rest
    assert kinds(found) == ["status", "progress", "progress", "progress", "log", "status", "output", "done"]
    assert [event.id for event in found] == sorted({event.id for event in found})
    assert found == await listener.all(path(running))


async def test_a_stream_survives_the_loss_of_the_connection_that_listens(
    listener: Listener, echo: Application, database_url: str
) -> None:
    running = await sync_to_async(make_execution)(echo, status="running", outputs=None, finished_at=None)
    async with asyncio.timeout(30):
        await sync_to_async(tell)(running, "log", {"stream": "stdout", "text": "one\n"})
        stream = listener.follow(path(running))
        found = [await anext(stream)]
        rest = asyncio.create_task(collect_all(stream))
        with psycopg.connect(database_url, autocommit=True) as other:
            kill = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%%' AND datname = current_database()"  # others test on this server, too
            )
            while other.execute(kill).fetchone() == (0,):  # noqa: ASYNC110 - PostgreSQL tells no other way
                await asyncio.sleep(0.01)  # it is not listening yet
        await sync_to_async(finish)(running, outputs={})
        found += await rest
    assert kinds(found) == ["log", "status", "done"]


async def collect_all(stream: AsyncIterator[Sent]) -> list[Sent]:
    return [event async for event in stream]


async def test_many_may_listen_at_once_and_each_gets_all(listener: Listener, echo: Application) -> None:
    running = await sync_to_async(make_execution)(echo, status="running", outputs=None, finished_at=None)
    async with asyncio.timeout(30):
        tasks = [asyncio.create_task(listener.all(path(running))) for _ in range(4)]
        for number in range(10):
            await sync_to_async(tell)(running, "log", {"stream": "stdout", "text": f"{number}\n"})
        await sync_to_async(finish)(running, outputs={})
        found = await asyncio.gather(*tasks)
    assert found[0] == found[1] == found[2] == found[3]
    assert kinds(found[0]) == ["log"] * 10 + ["status", "done"]


async def test_a_silent_stream_says_that_it_lives(
    listener: Listener, echo: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)
    queued = await sync_to_async(make_execution)(echo, status="queued", finished_at=None)
    answer = await listener.get(path(queued))
    async with asyncio.timeout(20):
        async for chunk in answer.streaming_content:
            if chunk.startswith(b": "):
                break
    assert answer["Cache-Control"] == "no-store"


async def test_what_is_cancelled_by_a_person_ends_its_stream(listener: Listener, echo: Application) -> None:
    queued = await sync_to_async(make_execution)(echo, status="queued", outputs=None, finished_at=None)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(listener.all(path(queued)))
        await sync_to_async(executions.cancel)(execution_id=queued.pk, by="user:ana", now=timezone.now())
        found = await waiting
    assert kinds(found) == ["status", "done"]
    assert found[-1].body["status"] == "cancelled"


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30])
def test_an_event_that_never_was_is_refused(owner: Client, finished: Execution, last: str) -> None:
    answer = owner.get(path(finished), headers={"Last-Event-ID": last})
    found = problem(answer, 422, "invalid")
    assert [error["field"] for error in found["errors"]] == ["Last-Event-ID"]
