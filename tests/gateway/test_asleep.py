"""Who asks a sleeping application waits in memory while it wakes, and is one row; what takes long is a queued row."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.stage import Stage, row, until
from ovd_saas.appcore import dispatch, lanes
from ovd_saas.store.notices import database_address, listen, notify
from ovd_saas.store.records import Execution, ExecutionEvent

HELLO = {"message": "good morning"}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What wakes may take long, as on a machine that has much to do."""
    monkeypatch.setattr(lanes, "QUICK_SECONDS", 20.0)
    monkeypatch.setattr(dispatch, "VISIBLE_AFTER", 20.0)


def first(about: str, meanwhile: Callable[[], Any]) -> dict[str, Any]:
    """The first notice about this that is told after `meanwhile` has begun."""
    heard = listen(database_address(), timeout=0.05)
    while next(heard) is not None:
        continue
    meanwhile()
    return next(notice for notice in heard if notice is not None and notice["about"] == about)


def test_who_asks_has_it_woken_and_is_one_row(patient: None, stage: Stage) -> None:
    application = stage.application("echo")
    played = stage.process(application, ready=False)  # it is there soon, and no server knows of it
    with ThreadPoolExecutor() as pool:
        asked: list[Any] = []
        wanted = first("wanted", lambda: asked.append(pool.submit(stage.post, "echo", HELLO)))
        assert not Execution.objects.exists()
        notify("processes", application=application.pk)
        answer = asked[0].result()
    assert answer.status_code == 201 and answer.json()["outputs"] == {"result": "good morning"}
    found = row(answer)
    assert wanted == {"about": "wanted", "application": application.pk, "execution": str(found.pk)}
    assert (found.status, found.process) == ("succeeded", played.row.pk)
    assert not ExecutionEvent.objects.filter(execution=found).exists()  # it never was queued, nor seen to run


def test_who_asks_while_it_wakes_for_long_is_queued_and_answered(stage: Stage) -> None:
    application = stage.application("echo")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(stage.post, "echo", HELLO)
        until(lambda: Execution.objects.filter(status="queued").count() == 1)
        stage.process(application)
        answer = asked.result()
    assert answer.status_code == 201
    assert ExecutionEvent.objects.filter(execution=row(answer), kind="status").exists()


def test_who_waits_in_the_database_comes_first(patient: None, stage: Stage) -> None:
    application = stage.application("echo")
    earlier = stage.post("echo", {"message": "first"}, Prefer="respond-async")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(stage.post, "echo", {"message": "second"})
        stage.process(application)
        later = asked.result()
    until(lambda: row(earlier).status == "succeeded")
    first_began, then_began = row(earlier).started_at, row(later).started_at
    assert first_began and then_began and first_began <= then_began
