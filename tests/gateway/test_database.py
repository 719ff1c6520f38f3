"""The database goes away and comes back: nothing is reported as archived that is not, and all goes on by itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connections

from gateway.stage import Stage, path, row, until
from ovd_saas.store.records import Execution
from ovd_saas.wiring.postgres import Postgres


class Restarting:
    """Restarts the PostgreSQL of this test session."""

    def __init__(self) -> None:
        self._cluster = Postgres(settings.HOME / "postgresql" / "data", settings.RUN, {"fsync": "off"})

    def kick_everybody_out(self) -> None:
        """Ends every other connection, as a restart does."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )


@pytest.fixture
def restarting() -> Iterator[Restarting]:
    yield Restarting()
    connections.close_all()


def test_all_goes_on_after_every_connection_was_lost(stage: Stage, restarting: Restarting) -> None:
    stage.process(stage.application("echo"))
    assert stage.post("echo", {"message": "before"}).status_code == 201
    restarting.kick_everybody_out()
    answer = stage.post("echo", {"message": "after"})
    assert answer.status_code == 201
    assert row(answer).outputs == {"result": "after"}


def test_during_load_each_201_is_archived(stage: Stage, restarting: Restarting) -> None:
    stage.process(stage.application("echo"))
    with stage.client() as client, ThreadPoolExecutor(16) as pool:
        body = {"inputs": {"message": "x"}}
        sent = [pool.submit(client.post, path("echo"), json=body) for _ in range(300)]
        until(lambda: Execution.objects.count() > 50)
        restarting.kick_everybody_out()
        answers = [one.result() for one in sent]
    assert {answer.status_code for answer in answers} <= {201, 503}
    done = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(done) > 200
    assert done <= {str(id_) for id_ in Execution.objects.filter(status="succeeded").values_list("pk", flat=True)}


def test_an_execution_that_runs_meanwhile_is_archived_when_the_database_is_back(
    stage: Stage, restarting: Restarting
) -> None:
    stage.process(stage.application("slow"))
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 1.5, "steps": 15})
        until(lambda: Execution.objects.filter(status="running").exists())
        restarting.kick_everybody_out()
        answer = answering.result()
    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
