"""The database goes away and comes back: nothing is reported as archived that is not, and all goes on by itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gateway.stage import Stage, path, row, until
from ovd_saas.store.records import Execution


def test_all_goes_on_after_every_connection_was_lost(stage: Stage, kick_everybody_out: Callable[[], None]) -> None:
    stage.process(stage.application("echo"))
    assert stage.post("echo", {"message": "before"}).status_code == 201
    kick_everybody_out()
    answer = stage.post("echo", {"message": "after"})
    assert answer.status_code == 201
    assert row(answer).outputs == {"result": "after"}


def test_during_load_each_201_is_archived(stage: Stage, kick_everybody_out: Callable[[], None]) -> None:
    stage.process(stage.application("echo"))
    with stage.client() as client, ThreadPoolExecutor(16) as pool:
        body = {"inputs": {"message": "x"}}
        sent = [pool.submit(client.post, path("echo"), json=body) for _ in range(300)]
        until(lambda: Execution.objects.count() > 50)
        kick_everybody_out()
        answers = [one.result() for one in sent]
    assert {answer.status_code for answer in answers} <= {201, 503}
    done = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(done) > 200
    assert done <= {str(id_) for id_ in Execution.objects.filter(status="succeeded").values_list("pk", flat=True)}


def test_an_execution_that_runs_meanwhile_is_archived_when_the_database_is_back(
    stage: Stage, kick_everybody_out: Callable[[], None]
) -> None:
    stage.process(stage.application("slow"))
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 1.5, "steps": 15})
        until(lambda: Execution.objects.filter(status="running").exists())
        kick_everybody_out()
        answer = answering.result()
    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
