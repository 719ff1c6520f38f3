"""The stream of events tells each person only of what is theirs."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

import makers
import pages_rows
from ovd_saas.panel.pages import events
from ovd_saas.store.notices import hub, notify


@pytest.mark.parametrize(
    ("notice", "told"),
    [
        ({"about": "application", "id": 7}, {"about": "application", "application": 7}),
        ({"about": "queue", "application": 7}, {"about": "queue", "application": 7}),
        (
            {"about": "execution", "id": "e", "application": 7, "status": "queued"},
            {"about": "execution", "execution": "e", "application": 7},
        ),
        ({"about": "release", "id": 3, "application": 7}, {"about": "release", "release": 3, "application": 7}),
        ({"about": "runner"}, {"about": "runner"}),
        ({"about": "batch", "application": 7}, {"about": "batch", "application": 7}),
        ({"about": "trigger", "application": 7}, {"about": "trigger", "application": 7}),
        ({"about": "model", "application": 7}, {"about": "model", "application": 7}),
        ({"about": "learning", "application": 7, "run": "r"}, {"about": "learning", "learning": "r", "application": 7}),
    ],
)
def test_a_notice_names_only_what_changed(notice: dict[str, Any], told: dict[str, Any]) -> None:
    assert events.told(notice) == told


async def heard(stream: Any, about: str) -> dict[str, Any]:
    """The next event about this; each one that comes before must be about nobody's application."""
    async with asyncio.timeout(20):
        async for chunk in stream:
            for line in chunk.decode().splitlines():
                if line.startswith("data: "):
                    event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    if event["about"] == about:
                        return event
                    assert event["about"] in ("reconnected", "access")
    raise AssertionError("The stream ended.")


async def test_a_member_hears_of_his_own_applications_only(database_url: str) -> None:
    own = await sync_to_async(makers.application)("echo", "acme")
    foreign = await sync_to_async(makers.application)("echo", "elsewhere")
    person = await sync_to_async(pages_rows.person)("ana", "member", "acme")
    client = AsyncClient()
    await client.aforce_login(person)
    answer: Any = await client.get("/events/")
    stream = aiter(answer)
    try:
        assert b"retry" in await anext(stream)
        listening = asyncio.create_task(heard(stream, "application"))
        await sync_to_async(notify)("application", id=foreign.pk)
        await sync_to_async(notify)("runner_of_nobody")
        while not listening.done():
            await sync_to_async(notify)("application", id=foreign.pk)
            await sync_to_async(notify)("application", id=own.pk)
            await asyncio.wait([listening], timeout=0.2)
        assert (await listening)["application"] == own.pk
    finally:
        await stream.aclose()
        await hub().stop()


async def test_who_lost_the_role_hears_of_it_and_then_of_nothing_more(database_url: str) -> None:
    from ovd_saas.appcore import people

    application = await sync_to_async(makers.application)("echo", "acme")
    person = await sync_to_async(pages_rows.person)("ana", "member", "acme")
    client = AsyncClient()
    await client.aforce_login(person)
    answer: Any = await client.get("/events/")
    stream = aiter(answer)
    try:
        assert b"retry" in await anext(stream)
        listening = asyncio.create_task(heard(stream, "access"))
        await asyncio.wait([listening], timeout=0.2)
        await sync_to_async(people.remove)(organisation=application.organisation, user=person, by="user:boss")
        while not listening.done():
            await sync_to_async(notify)("access")
            await asyncio.wait([listening], timeout=0.2)
        await listening
        listening = asyncio.create_task(heard(stream, "runner"))  # it refuses to see anything before but of nobody
        await sync_to_async(notify)("application", id=application.pk)
        while not listening.done():
            await sync_to_async(notify)("runner")
            await asyncio.wait([listening], timeout=0.2)
        await listening
    finally:
        await stream.aclose()
        await hub().stop()
