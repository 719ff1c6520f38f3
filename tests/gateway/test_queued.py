"""What cannot start at once is a queued row: durable, visible, served in fair order, and the client may wait for it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.utils import timezone

import makers
from gateway.stage import Stage, path, row, until
from ovd_saas.appcore import access, execution_view, executions
from ovd_saas.gateway import holding
from ovd_saas.store.notices import notify
from ovd_saas.store.queries import executions as queries
from ovd_saas.store.records import Application, Execution


def waiting() -> int:
    return Execution.objects.filter(status="queued").count()


def test_a_request_is_held_while_the_application_wakes(stage: Stage) -> None:
    application = stage.application("echo")
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "echo", {"message": "good morning"})
        until(waiting)
        stage.process(application)
        answer = answering.result()
    assert answer.status_code == 201
    assert answer.json()["outputs"] == {"result": "good morning"}


def test_a_process_serves_as_soon_as_it_says_that_it_is_ready(stage: Stage) -> None:
    application = stage.application("echo")
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "echo", {"message": "good morning"})
        until(waiting)
        played = stage.process(application, ready=False)
        notify("processes", application=application.pk)
        answer = answering.result()
    assert answer.status_code == 201
    assert row(answer).process == played.row.pk
    archived = queries.by_id(row(answer).pk)
    assert archived is not None
    assert answer.json() == execution_view.of_record(archived), "what is answered from memory is what is archived"
    played.row.refresh_from_db()
    assert played.row.state == "starting"


def test_many_at_once_are_one_queue_and_the_excess_is_refused_with_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, many = 20, 30
    monkeypatch.setattr(holding, "HELD_MAX", held)
    application = stage.application("echo")
    with ThreadPoolExecutor(many) as pool:
        answering = [pool.submit(stage.post, "echo", {"message": str(n)}) for n in range(many)]
        until(lambda: waiting() == held)
        until(lambda: sum(answer.done() for answer in answering) == many - held)
        stage.process(application)
        answers = [answer.result() for answer in answering]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == many - held and all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert sorted(answer.status_code for answer in answers if answer not in refused) == [201] * held
    assert Execution.objects.filter(status="succeeded").count() == held


def test_respond_async_answers_202_at_once_with_the_place_in_the_queue(stage: Stage) -> None:
    application = stage.application("echo")
    answers = [stage.post("echo", {"message": str(n)}, Prefer="respond-async") for n in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [answer.headers["Preference-Applied"] for answer in answers] == ["respond-async"] * 3
    assert [answer.json()["status"] for answer in answers] == ["queued"] * 3
    assert [answer.json()["queue_position"] for answer in answers] == [1, 2, 3]
    stage.process(application)
    until(lambda: all(row(answer).status == "succeeded" for answer in answers))


def test_a_client_whose_wait_is_over_before_it_wakes_gets_202(stage: Stage) -> None:
    stage.application("echo")
    answer = stage.post("echo", {"message": "hi"}, Prefer="wait=1")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Location"] == f"/api/v1/executions/{answer.json()['id']}"


def test_never_more_run_at_once_than_the_application_declares(stage: Stage) -> None:
    application = stage.application("slow", concurrency=2)
    for _ in range(5):
        stage.post("slow", {"seconds": 0.4, "steps": 2}, Prefer="respond-async")
    stage.process(application)
    most = 0

    def all_done() -> bool:
        nonlocal most
        most = max(most, Execution.objects.filter(status="running").count())
        return Execution.objects.filter(status="succeeded").count() == 5

    until(all_done)
    assert most == 2


def test_one_who_sends_many_does_not_keep_the_others_waiting(stage: Stage) -> None:
    application = stage.application("echo")
    many = [UUID(stage.post("echo", {"message": "ana"}, Prefer="respond-async").json()["id"]) for _ in range(4)]
    _, stage.token = access.issue(makers.user("ben", "member"), "tests")
    one = UUID(stage.post("echo", {"message": "ben"}, Prefer="respond-async").json()["id"])
    assert queries.position(Execution.objects.get(pk=one)) == 2
    stage.process(application)
    until(lambda: not Execution.objects.exclude(status="succeeded").exists())
    started = list(Execution.objects.order_by("started_at").values_list("pk", flat=True))
    assert started[:2] == [many[0], one]


def test_the_same_key_with_the_same_request_runs_once(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    first = stage.post("echo", {"message": "hi"}, Idempotency_Key="k1")
    again = stage.post("echo", {"message": "hi"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Execution.objects.count() == 1


def test_the_same_key_with_another_request_is_refused(stage: Stage) -> None:
    stage.process(stage.application("echo"))
    stage.post("echo", {"message": "hi"}, Idempotency_Key="k1")
    answer = stage.post("echo", {"message": "hello"}, Idempotency_Key="k1")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_the_same_key_twenty_times_at_once_runs_once(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    with stage.client(**{"Idempotency-Key": "k1"}) as client, ThreadPoolExecutor(20) as pool:
        body = {"inputs": {"seconds": 0.3, "steps": 3}, "seed": 5}
        answers = list(pool.map(lambda _: client.post(path("slow"), json=body), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Execution.objects.count() == 1
    assert Execution.objects.get().attempts == 1


def test_what_does_not_start_before_its_deadline_expires(stage: Stage) -> None:
    application = stage.application("slow", concurrency=1)
    stage.process(application)
    stage.post("slow", {"seconds": 1.5, "steps": 15}, Prefer="respond-async")
    until(lambda: Execution.objects.filter(status="running").exists())
    answer = stage.post("slow", {"seconds": 0.1}, {"deadline": 0.3})
    assert answer.status_code == 201
    assert answer.json()["status"] == "expired"
    assert answer.json()["error"]["code"] == "expired"


def test_a_suspended_application_refuses_at_once_also_when_its_process_is_warm(stage: Stage) -> None:
    application = stage.application("echo")
    stage.process(application)
    assert stage.post("echo", {"message": "hi"}).status_code == 201
    from ovd_saas.appcore import applications

    applications.act(application=application, action="suspend", by="user:ana", now=timezone.now())
    answer = until(lambda: (found := stage.post("echo", {"message": "hi"})).status_code == 409 and found)
    assert answer.json()["code"] == "not_accepting"
    assert "suspended" in answer.json()["detail"]


def test_a_full_queue_answers_429_with_retry_after(stage: Stage) -> None:
    stage.application("echo", max_queue=2)
    for _ in range(2):
        assert stage.post("echo", {"message": "hi"}, Prefer="respond-async").status_code == 202
    answer = stage.post("echo", {"message": "hi"}, Prefer="respond-async")
    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_cancelled_execution_that_waits_answers_its_client(stage: Stage) -> None:
    stage.application("echo")
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "echo", {"message": "hi"})
        until(waiting)
        executions.cancel(execution_id=Execution.objects.get().pk, by="user:ana", now=timezone.now())
        assert answering.result().json()["status"] == "cancelled"


def test_more_clients_than_may_be_held_are_told_to_come_again(stage: Stage) -> None:
    application = stage.application("echo")
    stage.serving.gateway._executions._holding._held[application.pk] = 256  # type: ignore[union-attr]
    answer = stage.post("echo", {"message": "hi"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_waiting")
    assert answer.headers["Retry-After"]
    assert stage.post("echo", {"message": "hi"}, Prefer="respond-async").status_code == 202


def test_a_server_that_stops_lets_its_waiting_clients_go_with_202(stage: Stage) -> None:
    stage.application("echo")
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "echo", {"message": "hi"})
        until(waiting)
        stage.serving.gateway.begin_stop()
        assert answering.result().status_code == 202


def test_a_new_release_takes_over_and_the_old_process_gets_nothing_more(stage: Stage) -> None:
    application = stage.application("echo")
    stage.process(application)
    newer = makers.release(application, 2)
    schema = application.release.schema if application.release else {}
    type(newer).objects.filter(pk=newer.pk).update(schema=schema)
    Application.objects.filter(pk=application.pk).update(release=newer)
    from ovd_saas.store.notices import notify

    notify("application", id=application.pk)
    answer = until(
        lambda: (found := stage.post("echo", {"message": "hi"}, Prefer="wait=1")).status_code == 202 and found
    )
    stage.process(Application.objects.select_related("organisation", "release").get(pk=application.pk))
    until(lambda: row(answer).status == "succeeded")
    assert row(answer).release_id == newer.pk
