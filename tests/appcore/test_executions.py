"""Executions: submit, cancel, take down."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import makers
from ovd_saas.appcore import executions
from ovd_saas.files import store as files
from ovd_saas.store import transitions
from ovd_saas.store.records import Application, Execution, ExecutionEvent, LooseFile

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def submit(application: Application, **changed: Any) -> tuple[Execution, bool]:
    request: dict[str, Any] = {
        "inputs": {"text": "a"}, "seed": 1, "deadline_at": None, "caller": "user:1", "by_id": None,
        "cause": {"kind": "api"}, "idempotency_key": None, "request_digest": "", "now": NOW,
    }  # fmt: skip
    return executions.submit(application=application, **{**request, **changed})


def test_a_submitted_execution_is_queued_with_its_first_event() -> None:
    execution, created = submit(makers.application())
    assert created and execution.status == "queued"
    assert list(ExecutionEvent.objects.values_list("kind", "body")) == [("status", {"status": "queued"})]


def test_the_same_key_and_request_answer_the_same_execution() -> None:
    application = makers.application()
    first, _ = submit(application, idempotency_key="k", request_digest="d")
    again, created = submit(application, idempotency_key="k", request_digest="d")
    assert (again.pk, created) == (first.pk, False)


def test_the_same_key_for_another_request_is_refused() -> None:
    application = makers.application()
    submit(application, idempotency_key="k", request_digest="d")
    with pytest.raises(executions.IdempotencyMismatch):
        submit(application, idempotency_key="k", request_digest="other")


def test_another_caller_may_use_the_same_key() -> None:
    application = makers.application()
    first, _ = submit(application, idempotency_key="k", request_digest="d")
    other, created = submit(application, idempotency_key="k", request_digest="d", caller="user:2")
    assert created and other.pk != first.pk


@pytest.mark.parametrize("status", ["draft", "suspended", "retired"])
def test_only_an_enabled_application_accepts(status: str) -> None:
    application = makers.application()
    application.status = status
    with pytest.raises(executions.NotAccepting, match=r"acme/echo is"):
        submit(application)


def test_a_faulty_application_refuses_until_its_next_try_is_due() -> None:
    application = makers.application()
    application.health, application.retry_at, application.reason = "faulty", NOW + timedelta(seconds=30), "It broke."
    with pytest.raises(executions.Faulty) as refused:
        submit(application)
    assert refused.value.retry_after_seconds == 30
    application.retry_at = NOW - timedelta(seconds=1)
    assert submit(application)[1]


def test_a_full_queue_refuses() -> None:
    application = makers.application(execute={"max_queue": 2})
    submit(application)
    submit(application)
    with pytest.raises(executions.QueueFull):
        submit(application)


def test_the_files_of_a_refused_execution_are_let_go() -> None:
    application = makers.application(execute={"max_queue": 0})
    digest = files.put(b"a picture")
    picture = {"name": "a.png", "media_type": "image/png", "size": 9, "digest": digest}
    with pytest.raises(executions.QueueFull):
        submit(application, inputs={"picture": picture})
    assert LooseFile.objects.get().digest == digest


def test_a_cancelled_execution_says_who_cancelled_it() -> None:
    execution, _ = submit(makers.application())
    cancelled = executions.cancel(execution_id=execution.pk, by="user:ana", now=NOW)
    assert cancelled.status == "cancelled" and cancelled.finished_at == NOW
    assert cancelled.error == {"code": "cancelled", "message": "Cancelled by ana."}


def test_a_finished_execution_cannot_be_cancelled() -> None:
    execution, _ = submit(makers.application())
    executions.cancel(execution_id=execution.pk, by="user:ana", now=NOW)
    with pytest.raises(executions.AlreadyFinished):
        executions.cancel(execution_id=execution.pk, by="user:ana", now=NOW)


def test_a_result_under_an_old_lease_changes_nothing() -> None:
    execution, _ = submit(makers.application())
    transitions.execution(execution.pk, "claim", now=NOW, lease=0)
    Execution.objects.filter(pk=execution.pk).update(lease=2)
    assert not transitions.execution(execution.pk, "succeed", now=NOW, lease=1, outputs={"late": True})
    execution.refresh_from_db()
    assert (execution.status, execution.outputs) == ("running", None)


def test_taking_down_removes_the_content_and_keeps_the_provenance() -> None:
    execution, _ = submit(makers.application())
    with pytest.raises(executions.NotFinished):
        executions.take_down(execution_id=execution.pk, by="user:ana", now=NOW)
    executions.cancel(execution_id=execution.pk, by="user:ana", now=NOW)
    executions.take_down(execution_id=execution.pk, by="user:ana", now=NOW)
    execution.refresh_from_db()
    assert execution.inputs == {} and execution.taken_down_at == NOW and execution.seed == 1


def test_ids_sort_by_time() -> None:
    ids = [executions.new_id() for _ in range(100)]
    assert ids == sorted(ids)
