"""A new model version takes over under those who execute: none fails, and each says which version it used."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
from django.utils import timezone

import runners
from gateway.stage import Stage, path, row, until
from ovd_saas.appcore import models
from ovd_saas.store.records import Application, Execution, ExecutionEvent, ModelVersion


def promote(application: Application, model: ModelVersion) -> str:
    return models.promote(application=application, model=model, by="gate", reason="", now=timezone.now())


def reading(stage: Stage, **execute: int) -> Application:
    """The reader, with version 1, awake as far as the rows are concerned."""
    application = stage.application("reader", **execute)
    promote(application, runners.model(application, 1, says="one"))
    Application.objects.filter(pk=application.pk).update(service="awake")
    return Application.objects.select_related("release", "model").get(pk=application.pk)


@contextmanager
def load(stage: Stage, clients: int, seconds: float = 0.0) -> Iterator[list[httpx.Response]]:
    """Clients that execute all the time; what they were answered so far."""
    over = threading.Event()
    answers: list[httpx.Response] = []

    def work() -> None:
        with stage.client() as client:
            while not over.is_set():
                answers.append(client.post(path("reader"), json={"inputs": {"seconds": seconds}}))

    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(work) for _ in range(clients)]
        try:
            yield answers
        finally:
            over.set()
    for one in working:
        one.result()


def test_an_execution_says_and_records_its_model(stage: Stage) -> None:
    application = reading(stage)
    assert application.model is not None
    stage.process(application, model=application.model)
    answer = stage.post("reader", {})
    assert (answer.status_code, answer.json()["outputs"], answer.json()["model"]) == (201, {"result": "one"}, 1)
    assert answer.json()["digests"]["model"] == application.model.digest
    assert row(answer).model == application.model
    slow = stage.post("reader", {"seconds": 0.5})
    assert slow.json()["model"] == 1
    assert row(slow).model == application.model and ExecutionEvent.objects.filter(execution=row(slow)).exists()
    queued = stage.post("reader", {}, Idempotency_Key="once")
    assert (queued.json()["model"], row(queued).model) == (1, application.model)


def test_without_a_model_it_says_so(stage: Stage) -> None:
    stage.process(stage.application("reader"))
    answer = stage.post("reader", {})
    assert (answer.json()["outputs"], answer.json()["model"]) == ({"result": "nothing"}, None)
    assert row(answer).model is None


def test_a_process_that_is_starting_is_met_but_gets_no_work(stage: Stage) -> None:
    application = reading(stage)
    assert application.model is not None
    first = stage.process(application, model=application.model)
    second = runners.model(application, 2, says="two")
    promote(application, second)
    coming = stage.process(application, model=second, ready=False)
    dispatcher = stage.serving.gateway._dispatcher
    assert dispatcher is not None
    until(lambda: coming.row.pk in dispatcher.lanes[application.pk].processes)
    assert not stage.knows(coming) and stage.knows(first)
    assert stage.post("reader", {}).json()["model"] == 1
    stage.make_ready(coming)
    assert not stage.knows(first)
    assert stage.post("reader", {}).json()["model"] == 2


def test_a_swap_under_load_fails_nobody_and_old_comes_before_new(stage: Stage) -> None:
    application = reading(stage, concurrency=2)
    assert application.model is not None
    old = stage.process(application, model=application.model)
    with load(stage, 6) as answers:
        until(lambda: len(answers) > 50)
        for number in (2, 3):
            model = runners.model(application, number, says=str(number))
            assert promote(application, model) == "upcoming"
            new = stage.process(application, model=model)
            old.drain()
            old = new
            here = len(answers)
            until(lambda: len(answers) > here + 50)  # noqa: B023 - called at once
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["status"] for answer in answers} == {"succeeded"}
    archived = list(Execution.objects.order_by("started_at").values_list("model__number", "outputs__result"))
    assert len(archived) == len(answers)
    assert [number for number, _ in archived] == sorted(number for number, _ in archived)
    assert set(archived) == {(1, "one"), (2, "2"), (3, "3")}


def test_what_takes_long_ends_with_the_model_it_began_with(stage: Stage) -> None:
    application = reading(stage)
    assert application.model is not None
    old = stage.process(application, model=application.model)
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "reader", {"seconds": 2})
        until(lambda: Execution.objects.filter(status="running").exists())
        model = runners.model(application, 2, says="two")
        promote(application, model)
        stage.process(application, model=model)
        assert stage.post("reader", {}).json()["model"] == 2
        old.drain()
        assert answering.result().json()["model"] == 1
