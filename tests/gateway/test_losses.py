"""Processes die, hang and are cancelled; no execution is lost, none has two results, and the client gets its answer."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
from django.utils import timezone

from gateway.stage import Serving, Stage, row, until
from ovd_saas.appcore import executions
from ovd_saas.appcore import processes as noting
from ovd_saas.appcore.loops import reaping
from ovd_saas.appcore.loops.dispatching import Dispatching
from ovd_saas.domain import executions as states
from ovd_saas.store import claims
from ovd_saas.store.notices import database_address
from ovd_saas.store.records import Application, Execution, ExecutionEvent, Process


def running() -> Execution | None:
    return Execution.objects.filter(status="running").first()


def test_a_process_killed_in_the_middle_is_replaced_and_the_held_client_gets_its_201(stage: Stage) -> None:
    application = stage.application("slow")
    first = stage.process(application)
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 1.5, "steps": 5})
        until(running)
        first.end()
        until(lambda: Execution.objects.filter(status="queued").exists())
        stage.process(application)
        answer = answering.result()
    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
    assert row(answer).attempts == 2
    assert row(answer).lease == 2


def test_an_input_that_kills_its_process_fails_when_its_attempts_are_used_up(stage: Stage) -> None:
    application = stage.application("crasher", max_attempts=2)
    with ThreadPoolExecutor() as pool:
        played = stage.process(application)
        answering = pool.submit(stage.post, "crasher", {"way": "die"})
        played.process.wait(20)
        played.end()
        until(lambda: Execution.objects.filter(status="queued", attempts=1).exists())
        stage.make_ready_now(stage.process(application, ready=False))
        answer = answering.result()
    error = answer.json()["error"]
    assert (answer.json()["status"], error["code"]) == ("failed", "lost")
    assert "2 times" in error["message"]
    assert Execution.objects.count() == 1


def test_what_takes_too_long_fails_and_its_process_is_condemned(stage: Stage) -> None:
    application = stage.application("slow", timeout=0.5)
    played = stage.process(application)
    answer = stage.post("slow", {"seconds": 60, "steps": 1})
    assert (answer.json()["status"], answer.json()["error"]["code"]) == ("failed", "timeout")
    assert "0.5 seconds" in answer.json()["error"]["message"]
    assert until(lambda: Process.objects.get(pk=played.row.pk).condemned)


def test_others_in_a_condemned_process_start_again_uncounted(stage: Stage) -> None:
    application = stage.application("crasher", timeout=1.0, concurrency=2, max_attempts=1)
    first = stage.process(application)
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(stage.post, "crasher", {"way": "hang"})
        until(running)
        beside = pool.submit(stage.post, "crasher", {"way": "hang"}, None, Prefer="wait=60")
        assert hanging.result().json()["error"]["code"] == "timeout"
        until(lambda: Execution.objects.filter(status="queued", attempts=0).exists())
        first.end()
        stage.process(application)
        answer = beside.result()
    assert answer.json()["error"]["code"] == "timeout"
    assert row(answer).attempts == 1
    assert row(answer).lease == 2


def test_a_cancelled_execution_is_cancelled_whatever_its_process_does(stage: Stage) -> None:
    played = stage.process(stage.application("crasher"))
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "crasher", {"way": "hang"})
        execution = until(running)
        executions.cancel(execution_id=execution.pk, by="user:ana", now=timezone.now())
        answer = answering.result()
    assert (answer.status_code, answer.json()["status"]) == (201, "cancelled")
    assert until(lambda: Process.objects.get(pk=played.row.pk).condemned)


def test_a_process_that_heeds_a_cancel_lives_on(stage: Stage) -> None:
    played = stage.process(stage.application("slow"))
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 30, "steps": 300})
        execution = until(running)
        executions.cancel(execution_id=execution.pk, by="user:ana", now=timezone.now())
        assert answering.result().json()["status"] == "cancelled"
    assert stage.post("slow", {"seconds": 0.1, "steps": 1}).json()["status"] == "succeeded"
    assert not Process.objects.get(pk=played.row.pk).condemned


def test_a_connection_that_breaks_before_anything_is_visible_becomes_a_queued_execution(stage: Stage) -> None:
    application = stage.application("slow")
    first = stage.process(application)
    os.kill(first.process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 0.1, "steps": 1})
        until(running)
        first.end()
        until(lambda: Execution.objects.filter(status="queued").exists())
        stage.process(application)
        assert answering.result().json()["status"] == "succeeded"


def test_a_result_that_comes_after_its_lease_was_taken_away_is_refused(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    answer = stage.post("slow", {"seconds": 1.5, "steps": 5}, Prefer="wait=1")
    id_ = answer.json()["id"]
    Execution.objects.filter(pk=id_).update(lease=17)  # as if somebody else had claimed it
    dispatcher = stage.serving.gateway._dispatcher
    assert dispatcher is not None
    until(lambda: not dispatcher.leases.runs)
    untouched = Execution.objects.get(pk=id_)
    assert (untouched.status, untouched.outputs, untouched.lease) == ("running", None, 17)


def test_leases_are_renewed_while_it_runs(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    stage.post("slow", {"seconds": 30, "steps": 300}, Prefer="wait=1")
    execution = until(running)
    until(lambda: Execution.objects.get(pk=execution.pk).lease_until > execution.lease_until)


def test_a_server_that_stops_gives_back_what_it_attends_to(stage: Stage) -> None:
    stage.process(stage.application("slow"))
    answer = stage.post("slow", {"seconds": 60, "steps": 600}, Prefer="wait=1")
    stage.serving.stop()
    stopped, stage.serving = stage.serving, Serving()
    stage.serving.start()
    assert stopped.url != stage.serving.url
    given_back = row(answer)
    assert given_back.status in ("queued", "running")  # running: the new server was quick
    assert given_back.lease > 1 or given_back.attempts == 0


def test_appcore_serves_what_no_gateway_serves(stage: Stage) -> None:
    application = stage.application("echo")
    answer = stage.post("echo", {"message": "alone"}, Prefer="respond-async")
    stage.serving.stop()
    stage.make_ready_now(stage.process(application, ready=False))
    fallback = Dispatching(database_address())
    fallback.start()
    until(lambda: row(answer).status == "succeeded")
    fallback.stop()
    stage.serving = Serving()
    stage.serving.start()


def test_the_fallback_leaves_alone_what_has_not_waited(stage: Stage) -> None:
    application = stage.application("echo")
    played = stage.process(application)
    stage.serving.stop()
    id_ = executions.new_id()
    now = timezone.now()
    executions.submit(application=application, inputs={"message": "x", "times": 1}, seed=1, deadline_at=None,
                      caller="user:1", by_id=None, cause={}, idempotency_key=None, request_digest="", now=now,
                      id_=id_)  # fmt: skip
    assert claims.claim(played.row.pk, now=now, waited=timedelta(seconds=2)) is claims.Nothing.EMPTY
    Process.objects.filter(pk=played.row.pk).update(ready_at=now - timedelta(seconds=5))
    claimed = claims.claim(played.row.pk, now=now + timedelta(seconds=3), waited=timedelta(seconds=2))
    assert isinstance(claimed, Execution) and claimed.pk == id_
    stage.serving = Serving()
    stage.serving.start()


def test_an_execution_whose_server_died_is_queued_again_when_its_lease_ends(stage: Stage) -> None:
    played = stage.process(stage.application("echo"))
    application = Application.objects.get(pk=played.row.application_id)
    now = timezone.now()
    orphan = Execution.objects.create(
        id=executions.new_id(), application=application, release_id=application.release_id, process=played.row.pk,
        status=states.RUNNING, inputs={"message": "orphan", "times": 1}, seed=1, created_at=now, started_at=now,
        lease=1, attempts=1, lease_until=now - timedelta(seconds=1), caller="user:1",
    )  # fmt: skip
    reaping.tick()
    until(lambda: Execution.objects.get(pk=orphan.pk).status == "succeeded")
    told = ExecutionEvent.objects.filter(execution=orphan, kind="status").order_by("pk")
    assert [event.body["status"] for event in told] == ["queued", "running", "succeeded"]


def test_the_process_may_finish_what_it_does_while_it_drains_but_gets_nothing_new(stage: Stage) -> None:
    application = stage.application("slow", concurrency=2)
    played = stage.process(application)
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 1.5, "steps": 15})
        until(running)
        from ovd_saas.domain import processes
        from ovd_saas.store import transitions

        transitions.process(played.row.pk, processes.DRAIN, now=timezone.now())
        late: httpx.Response = stage.post("slow", {"seconds": 0.1}, None, Prefer="wait=1")
        assert answering.result().json()["status"] == "succeeded"
    assert late.status_code == 202
    assert row(late).status == "queued"


def test_what_the_runner_says_of_the_end_is_the_reason_that_a_person_reads(stage: Stage) -> None:
    """Also when the connection ends before the runner has said it."""
    application = stage.application("slow", max_attempts=1)
    played = stage.process(application)
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(stage.post, "slow", {"seconds": 30, "steps": 1})
        until(running)
        played.kill()
        until(lambda: not stage.knows(played))
        noting.end(process_id=played.row.pk, reason="killed: reached the memory limit of 512 MB", now=timezone.now())
        answer = answering.result()
    assert answer.json()["error"]["code"] == "lost"
    assert "reached the memory limit of 512 MB" in answer.json()["error"]["message"]
