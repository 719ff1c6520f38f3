"""The journal: durable before it says so, many rows in one transaction, and honest when it cannot."""

import asyncio
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

import makers
from ovd_saas.appcore.executions import new_id
from ovd_saas.store import notices
from ovd_saas.store.finished import FinishedExecution
from ovd_saas.store.journal import Journal, Unavailable, Unstorable
from ovd_saas.store.records import Application, Execution


def finished(application: Application, **other: Any) -> FinishedExecution:
    now = timezone.now()
    release = application.release
    assert release is not None
    values: dict[str, Any] = {
        "id": new_id(), "application_id": application.pk, "release_id": release.pk, "process": new_id(),
        "status": "succeeded", "inputs": {"text": "ä\u2028"}, "outputs": {"number": 0.1}, "error": None, "log": "x\n",
        "seed": 2**53 - 1, "progress": None, "digests": {"inputs": "sha256:00"}, "hardware": {"machine": "here"},
        "created_at": now, "started_at": now, "finished_at": now, "deadline_at": None, "seconds": 0.25,
        "caller": "user:1", "created_by_id": None, "cause": {"kind": "api"}, "request_digest": "",
    }  # fmt: skip
    return FinishedExecution(**{**values, **other})


@pytest.fixture
def application(database_url: str) -> Application:
    return makers.application()


@pytest.fixture
async def journal(application: Application) -> Any:
    journal = Journal(notices.database_address(), patience=0.5)
    journal.start()
    yield journal
    await journal.stop()


async def test_a_row_is_there_with_all_its_columns_when_record_returns(
    journal: Journal, application: Application
) -> None:
    row = finished(application, consent=True)
    await journal.record(row)
    found = await Execution.objects.aget(pk=row.id)
    for name in FinishedExecution.__slots__:
        assert getattr(found, name) == getattr(row, name), name
    assert found.idempotency_key is None and found.taken_down_at is None and found.lease_until is None


async def test_200_at_once_share_few_transactions(journal: Journal, application: Application) -> None:
    await journal.record(finished(application))
    before = journal.batches
    await asyncio.gather(*(journal.record(finished(application)) for _ in range(200)))
    assert await Execution.objects.acount() == 201
    assert journal.batches - before <= 3


async def test_one_row_that_cannot_be_stored_does_not_take_the_others_with_it(
    journal: Journal, application: Application
) -> None:
    rows = [finished(application) for _ in range(5)]
    rows[2].outputs = {"text": "a\x00b"}
    rows[3].application_id = 10**9
    rows[4].outputs = {"number": 2**70}
    told = await asyncio.gather(*(journal.record(row) for row in rows), return_exceptions=True)
    assert [type(one) for one in told] == [type(None), type(None), Unstorable, Unstorable, Unstorable]
    assert await Execution.objects.acount() == 2


async def test_a_lost_connection_is_replaced_and_nothing_is_stored_twice(
    journal: Journal, application: Application
) -> None:
    await journal.record(finished(application))
    assert journal._line is not None
    with psycopg.connect(notices.database_address(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [journal._line.process_id])
    row = finished(application)
    await journal.record(row)
    assert await Execution.objects.filter(pk=row.id).acount() == 1


async def test_a_batch_that_is_repeated_changes_nothing(journal: Journal, application: Application) -> None:
    row = finished(application)
    await journal.record(row)
    await journal.record(row)
    assert await Execution.objects.acount() == 1


async def test_without_a_database_it_says_so_in_bounded_time() -> None:
    journal = Journal("host=/nonexistent dbname=none", patience=0.2)
    journal.start()
    row = finished(Application(pk=1, release=makers.Release(pk=1)))
    with pytest.raises(Unavailable):
        async with asyncio.timeout(5):
            await journal.record(row)
    await journal.stop()


async def test_a_database_that_hangs_is_given_up_in_bounded_time(journal: Journal, application: Application) -> None:
    await journal.record(finished(application))
    with psycopg.connect(notices.database_address()) as other:
        other.execute("LOCK TABLE store_execution IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            async with asyncio.timeout(10):
                await journal.record(finished(application))
    await journal.record(finished(application))
    assert await Execution.objects.acount() == 2


async def test_a_closed_journal_takes_nothing(journal: Journal, application: Application) -> None:
    await journal.stop()
    with pytest.raises(Unavailable):
        await journal.record(finished(application))


async def test_notices_are_few_however_many_rows_there_are(journal: Journal, application: Application) -> None:
    listening = notices.listen(notices.database_address(), timeout=0.3)
    assert await sync_to_async(next)(listening) is None
    for _ in range(30):
        await journal.record(finished(application))
    told = [await sync_to_async(next)(listening) for _ in range(3)]
    assert told[0] == {"about": "executions", "application": application.pk}
    assert len([notice for notice in told if notice]) <= 2
    await sync_to_async(listening.close)()
