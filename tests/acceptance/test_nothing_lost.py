"""Nothing lost, nothing stuck: what was acknowledged survives kill -9 of each process, and reaches a final state."""

import os
import signal
import threading

import pytest
from platforms import Platform, until


@pytest.mark.parametrize("part", ["web", "appcore", "runner", "postgresql"])
def test_an_acknowledged_execution_survives_kill_9_of(part: str, platform: Platform) -> None:
    before = platform.submit("demo/slow", {"seconds": 1.0})
    running = platform.submit("demo/slow", {"seconds": 1.5})
    client = platform.client()
    until(lambda: client.execution(running).status == "running", says="it runs")
    platform.kill(part)
    until(platform.is_healthy, says="healthy again")
    assert platform.finished(before).is_success
    assert platform.finished(running).is_success


def test_an_acknowledged_execution_survives_kill_9_of_its_process(platform: Platform) -> None:
    id_ = platform.submit("demo/slow", {"seconds": 1.0})
    client = platform.client()
    until(lambda: client.execution(id_).status == "running", says="it runs")
    with platform.http() as http:
        runners = http.get("/api/v1/runners").json()["items"]
    processes = [process for runner in runners for process in runner["processes"]]
    [pid] = [process["pid"] for process in processes if process["application"] == "demo/slow"]
    os.kill(pid, signal.SIGKILL)
    assert platform.finished(id_).is_success


def test_many_acknowledged_executions_survive_everything_dying_in_turn(platform: Platform) -> None:
    ids = [platform.submit("demo/slow", {"seconds": 0.1}) for _ in range(20)]
    for part in ("appcore", "web", "runner"):
        platform.kill(part)
        until(platform.is_healthy, says="healthy again")
    assert {platform.finished(id_).status for id_ in ids} == {"succeeded"}


def test_awake_applications_execute_on_while_appcore_is_dead(platform: Platform) -> None:
    client = platform.client()
    assert client.execute("demo/echo", {"message": "warm"}).is_success
    os.kill(platform.up["pids"]["appcore"], signal.SIGSTOP)
    try:
        answers = [client.execute("demo/echo", {"message": str(n)}) for n in range(50)]
    finally:
        os.kill(platform.up["pids"]["appcore"], signal.SIGCONT)
    assert all(answer.is_success for answer in answers)


def test_executions_under_load_all_answer_while_appcore_is_killed(platform: Platform) -> None:
    platform.client().execute("demo/echo", {"message": "warm"})
    failed: list[str] = []
    done = threading.Event()

    def load() -> None:
        client = platform.client()
        while not done.is_set():
            answer = client.execute("demo/echo", {"message": "x"})
            if not answer.is_success:
                failed.append(answer.reason)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    platform.kill("appcore")
    until(platform.is_healthy, says="healthy again")
    done.set()
    for thread in threads:
        thread.join(60)
    assert failed == []
