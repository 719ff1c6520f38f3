"""Claims: one holder at a time, in fair order, and a lease that fences off everybody else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import makers
from ovd_saas.appcore.executions import new_id
from ovd_saas.domain import executions, outcomes
from ovd_saas.store import claims
from ovd_saas.store.claims import Nothing, Result
from ovd_saas.store.records import Application, Execution, ExecutionEvent, Process, Release, Runner

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def process_of(application: Application, concurrency: int = 1, state: str = "ready") -> Process:
    runner, _ = Runner.objects.get_or_create(name="here")
    return Process.objects.create(
        id=uuid4(), application=application, release_id=application.release_id, runner=runner, state=state,
        concurrency=concurrency, address="/nowhere", started_at=NOW - seconds(60), ready_at=NOW - seconds(60),
    )  # fmt: skip


def queue(application: Application, caller: str = "user:1", after: float = 0, **other: object) -> Execution:
    return Execution.objects.create(
        id=new_id(), application=application, status="queued", inputs={}, seed=1, caller=caller,
        created_at=NOW + seconds(after), **other,
    )  # fmt: skip


def claimed(process: Process, at: float = 10) -> Execution:
    found = claims.claim(process.pk, now=NOW + seconds(at))
    assert isinstance(found, Execution), found
    return found


def result(event: str = executions.SUCCEED) -> Result:
    return Result(event, {"n": 1}, None, "log", 0.5, {"outputs": "sha256:0"}, {"machine": "here"}, None)


@pytest.fixture
def application(db: None) -> Application:
    return makers.application()


def test_a_claimed_execution_runs_under_a_new_lease(application: Application) -> None:
    process = process_of(application)
    waiting = queue(application)
    found = claimed(process)
    assert found.pk == waiting.pk
    assert (found.status, found.lease, found.attempts, found.process) == ("running", 1, 1, process.pk)
    assert found.lease_until == NOW + seconds(10) + claims.LEASE
    assert found.release_id == application.release_id
    assert ExecutionEvent.objects.get().body == {"status": "running", "attempt": 1}


def test_a_process_gets_no_more_than_its_concurrency(application: Application) -> None:
    process = process_of(application, concurrency=2)
    for number in range(3):
        queue(application, after=number)
    claimed(process), claimed(process)
    assert claims.claim(process.pk, now=NOW + seconds(10)) is Nothing.FULL


def test_an_empty_queue_says_so(application: Application) -> None:
    assert claims.claim(process_of(application).pk, now=NOW) is Nothing.EMPTY


@pytest.mark.parametrize("state", ["starting", "draining", "ended"])
def test_only_a_ready_process_gets_work(application: Application, state: str) -> None:
    queue(application)
    assert claims.claim(process_of(application, state=state).pk, now=NOW) is Nothing.GONE


def test_a_process_that_says_itself_that_it_is_ready_gets_work_before_its_row_says_so(application: Application) -> None:
    waiting = queue(application)
    process = process_of(application, state="starting")
    Process.objects.update(ready_at=None)
    assert claims.claim(process.pk, now=NOW + seconds(10)) is Nothing.GONE
    found = claims.claim(process.pk, now=NOW + seconds(10), answered=True)
    assert isinstance(found, Execution) and found.pk == waiting.pk
    Process.objects.update(state="draining")
    assert claims.claim(process.pk, now=NOW + seconds(11), answered=True) is Nothing.GONE


def test_a_claim_says_whether_others_wait(application: Application) -> None:
    process = process_of(application, concurrency=2)
    for number in range(2):
        queue(application, after=number)
    assert [claimed(process).others_wait, claimed(process).others_wait] == [True, False]


def test_a_claim_waits_for_nobody_who_notes_what_becomes_of_the_process(transactional_db: None) -> None:
    application = makers.application()
    process = process_of(application)
    queue(application)
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        Process.objects.filter(pk=process.pk).update(pid=7)
        found = pool.submit(_closing, claims.claim, process.pk, now=NOW + seconds(10)).result(5)
    assert isinstance(found, Execution)


def _closing(function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    finally:
        connections.close_all()


def test_a_condemned_process_gets_no_work(application: Application) -> None:
    queue(application)
    process = process_of(application)
    claims.condemn(process.pk, "It hangs.")
    assert claims.claim(process.pk, now=NOW) is Nothing.GONE
    assert claims.why_condemned(process.pk) == "It hangs."


def test_a_process_of_an_older_release_gets_no_work(application: Application) -> None:
    process = process_of(application)
    Application.objects.filter(pk=application.pk).update(release=makers.release(application, 2))
    queue(application)
    assert claims.claim(process.pk, now=NOW) is Nothing.GONE


def test_a_process_of_an_earlier_model_gets_no_work_and_one_of_the_live_model_is_recorded(
    application: Application,
) -> None:
    process = process_of(application)
    queue(application)
    live = makers.model_version(application)
    makers.promotion(live)
    assert claims.claim(process.pk, now=NOW + seconds(10)) is Nothing.GONE
    Process.objects.filter(pk=process.pk).update(model=live)
    assert claimed(process).model == live


def test_a_process_of_a_learning_run_gets_no_work(application: Application) -> None:
    process = process_of(application)
    queue(application)
    Process.objects.filter(pk=process.pk).update(kind="learn")
    assert claims.claim(process.pk, now=NOW + seconds(10)) is Nothing.GONE


def test_what_should_have_started_by_now_expires_instead(application: Application) -> None:
    late = queue(application, deadline_at=NOW + seconds(5))
    in_time = queue(application, after=1, deadline_at=NOW + seconds(50))
    assert claimed(process_of(application)).pk == in_time.pk
    late.refresh_from_db()
    assert (late.status, late.error["code"]) == ("expired", "expired")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(callers=st.lists(st.sampled_from(["user:1", "user:2", "user:3"]), min_size=1, max_size=8))
def test_turns_are_those_of_the_domain_also_while_the_queue_moves(application: Application, callers: list[str]) -> None:
    Execution.objects.all().delete()
    process = process_of(application, concurrency=100)
    waiting = [queue(application, caller, number) for number, caller in enumerate(callers)]
    served: dict[str, datetime] = {}
    for number in range(len(waiting)):
        left = [(str(row.pk), row.caller, row.created_at) for row in waiting]
        expected = outcomes.fair(left, served)[0]
        found = claimed(process, at=10 + number)
        assert str(found.pk) == expected
        assert found.started_at is not None
        served[found.caller] = found.started_at
        waiting = [row for row in waiting if row.pk != found.pk]


def test_only_the_holder_of_the_lease_finishes(application: Application) -> None:
    queue(application)
    found = claimed(process_of(application))
    assert not claims.finish(found.pk, found.lease + 1, result(), now=NOW + seconds(11))
    assert claims.finish(found.pk, found.lease, result(), now=NOW + seconds(11))
    assert not claims.finish(found.pk, found.lease, result(executions.FAIL), now=NOW + seconds(12))
    found.refresh_from_db()
    assert (found.status, found.outputs, found.log, found.seconds) == ("succeeded", {"n": 1}, "log", 0.5)
    assert found.finished_at == NOW + seconds(11)


def test_a_refused_result_leaves_no_events(application: Application) -> None:
    queue(application)
    found = claimed(process_of(application))
    last = [claims.Happening(found.pk, "log", {"text": "late"}, NOW)]
    assert not claims.finish(found.pk, 99, result(), now=NOW, last=last)
    assert not ExecutionEvent.objects.filter(kind="log").exists()


def test_what_is_given_back_runs_again_until_its_attempts_are_used_up(application: Application) -> None:
    Release.objects.update(manifest={"execute": {"max_attempts": 2}})
    process = process_of(application)
    queue(application)
    first = claimed(process)
    assert claims.give_back(first.pk, 1, "It died.", counts=True, now=NOW) == "queued"
    second = claimed(process)
    assert (second.lease, second.attempts) == (2, 2)
    assert claims.give_back(second.pk, 1, "It died.", counts=True, now=NOW) is None  # an old lease
    assert claims.give_back(second.pk, 2, "It died.", counts=True, now=NOW) == "failed"
    second.refresh_from_db()
    assert second.error == {
        "code": "lost",
        "message": "Its process was lost 2 times, so it is not tried again. The last time: It died.",
    }


def test_an_execution_that_is_not_tried_again_says_what_the_runner_said_of_its_process(
    application: Application,
) -> None:
    process, execution = process_of(application), queue(application)
    Execution.objects.filter(pk=execution.pk).update(attempts=2)
    found = claimed(process)
    Process.objects.filter(pk=process.pk).update(
        state="ended", ended_at=NOW + seconds(11), end_reason="It reached the memory limit of 512 MB."
    )
    assert claims.give_back(found.pk, found.lease, "It went away.", counts=True, now=NOW + seconds(12)) == "failed"
    found.refresh_from_db()
    assert found.error["message"].endswith("The last time: It reached the memory limit of 512 MB.")


def test_what_was_lost_through_no_fault_of_its_own_keeps_its_attempts(application: Application) -> None:
    Release.objects.update(manifest={"execute": {"max_attempts": 1}})
    process = process_of(application)
    queue(application)
    for number in range(5):
        found = claimed(process, at=10 + number)
        assert claims.give_back(found.pk, found.lease, "Stopped.", counts=False, now=NOW) == "queued"


def test_renewing_says_what_is_no_longer_ours(application: Application) -> None:
    process = process_of(application, concurrency=3)
    for number in range(3):
        queue(application, after=number)
    ours, finished, taken = claimed(process), claimed(process), claimed(process)
    claims.finish(finished.pk, finished.lease, result(), now=NOW)
    Execution.objects.filter(pk=taken.pk).update(lease=5)
    leases = {row.pk: row.lease for row in (ours, finished, taken)}
    gone = claims.renew(leases, now=NOW + seconds(100))
    assert gone == {finished.pk: "succeeded", taken.pk: "running"}
    ours.refresh_from_db()
    assert ours.lease_until == NOW + seconds(100) + claims.LEASE


def test_progress_reaches_the_row_and_the_watchers(application: Application) -> None:
    queue(application)
    found = claimed(process_of(application))
    some = [claims.Happening(found.pk, "progress", {"fraction": n / 2, "message": ""}, NOW) for n in range(3)]
    claims.tell(some)
    found.refresh_from_db()
    assert found.progress == {"fraction": 1.0, "message": ""}
    assert ExecutionEvent.objects.filter(kind="progress").count() == 3


@pytest.mark.django_db(transaction=True)
def test_many_who_claim_at_once_never_get_the_same_one() -> None:
    application = makers.application()
    processes = [process_of(application, concurrency=20) for _ in range(2)]
    for number in range(40):
        queue(application, f"user:{number % 3}", number)
    got: list[UUID] = []
    lock = threading.Lock()

    def claim_all(number: int) -> None:
        try:
            while True:
                found = claims.claim(processes[number % 2].pk, now=NOW + seconds(100))
                if isinstance(found, Execution):
                    with lock:
                        got.append(found.pk)
                elif found is not Nothing.BUSY:
                    return
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(claim_all, range(6)))
    assert len(got) == len(set(got)) == 40
    assert not Execution.objects.filter(status="queued").exists()
