"""Notices reach listeners when the transaction commits, and only then."""

import asyncio

from django.db import connections, transaction

from ovd_saas.store import notices


def test_a_notice_arrives_after_commit_and_not_before(database_url: str) -> None:
    listening = notices.listen(database_url, timeout=0.2)
    assert next(listening) is None  # connected, silent
    with transaction.atomic():
        notices.notify("application", id=7)
        assert next(listening) is None
    assert next(listening) == {"about": "application", "id": 7}
    listening.close()


async def test_the_hub_gives_each_notice_to_every_subscriber(database_url: str) -> None:
    hub = notices.Hub(database_url)
    with hub.subscribe() as one, hub.subscribe() as two:
        assert await asyncio.wait_for(one.get(), 5) == {"about": "reconnected"}
        await two.get()
        await asyncio.to_thread(notices.notify, "access")
        assert await asyncio.wait_for(one.get(), 5) == await asyncio.wait_for(two.get(), 5) == {"about": "access"}
    await hub.stop()


async def test_the_hub_stops_also_in_the_moment_of_a_notice(database_url: str) -> None:
    for _ in range(30):
        hub = notices.Hub(database_url)
        with hub.subscribe() as queue:
            await asyncio.wait_for(queue.get(), 5)
            telling = asyncio.create_task(asyncio.to_thread(tell))
            await asyncio.wait_for(hub.stop(), 5)
            await telling


def tell() -> None:
    notices.notify("access")
    connections.close_all()
