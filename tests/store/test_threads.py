"""Threads stop, whatever they were doing a moment ago."""

import asyncio

from ovd_saas.store.threads import Threads


async def test_they_stop_although_handing_out_the_last_work_starts_another_thread(transactional_db: None) -> None:
    for _ in range(200):
        threads = Threads()
        await asyncio.gather(threads.call(int), threads.call(int))
        await asyncio.wait_for(threads.stop(), 5)
