"""Several processes of one edition: executions are spread over them, and nobody notices when one comes or goes."""

from collections import Counter

import runners
from gateway.stage import Stage, until
from gateway.test_swap import load, promote
from ovd_saas.store.records import Application, Execution

SECONDS = 0.05


def spread() -> Counter[str]:
    """How many executions each process had."""
    return Counter(map(str, Execution.objects.values_list("process", flat=True)))


def reading(stage: Stage, **execute: int) -> Application:
    application = stage.application("reader", **execute)
    Application.objects.filter(pk=application.pk).update(service="awake")
    return application


def test_executions_are_spread_over_the_processes(stage: Stage) -> None:
    application = reading(stage)
    played = [stage.process(application) for _ in range(3)]
    with load(stage, clients=6, seconds=SECONDS) as answers:
        until(lambda: len(answers) >= 60)
    assert {answer.status_code for answer in answers} == {201}
    counts = spread()
    assert set(counts) == {str(one.row.pk) for one in played}
    assert min(counts.values()) * 2 >= max(counts.values())


def test_those_who_wait_in_the_queue_are_brought_to_all_of_them(stage: Stage) -> None:
    application = reading(stage)
    headers = {"Prefer": "respond-async"}
    with stage.client() as client:
        for _ in range(12):
            answer = client.post("/api/v1/applications/acme/reader/executions",
                                 json={"inputs": {"seconds": 0.1}}, headers=headers)  # fmt: skip
            assert answer.status_code == 202
        played = [stage.process(application) for _ in range(2)]
        until(lambda: Execution.objects.filter(status="succeeded").count() == 12)
    assert set(spread()) == {str(one.row.pk) for one in played}


def test_one_that_comes_helps_and_one_that_goes_takes_nobody_with_it(stage: Stage) -> None:
    application = reading(stage)
    first = stage.process(application)
    with load(stage, clients=4, seconds=SECONDS) as answers:
        until(lambda: len(answers) >= 8)
        second = stage.process(application)
        until(lambda: spread()[str(second.row.pk)] >= 8)
        first.drain()
        before = len(answers)
        until(lambda: len(answers) >= before + 8)
    assert {answer.status_code for answer in answers} == {201}
    assert Execution.objects.exclude(status="succeeded").count() == 0


def test_a_swap_with_several_processes_fails_nobody(stage: Stage) -> None:
    application = reading(stage)
    promote(application, runners.model(application, 1, says="one"))
    application.refresh_from_db()
    before = [stage.process(application, model=application.model) for _ in range(2)]
    with load(stage, clients=4, seconds=SECONDS) as answers:
        until(lambda: len(answers) >= 8)
        second = runners.model(application, 2, says="two")
        promote(application, second)
        coming = stage.process(application, model=second, ready=False)
        stage.make_ready(coming)
        until(lambda: any(answer.json()["model"] == 2 for answer in answers[-4:]))
        for one in before:
            one.drain()
        done = len(answers)
        until(lambda: len(answers) >= done + 8)
    assert {answer.status_code for answer in answers} == {201}
    versions = [answer.json()["model"] for answer in sorted(answers, key=lambda one: one.json()["created_at"])]
    assert set(versions) == {1, 2}
