"""Health, runners and metrics tell the truth about each part."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

import makers
from api.making import make_execution
from api.reading import problem
from ovd_saas.appcore import supervisor
from ovd_saas.store.queries import liveness
from ovd_saas.store.records import Application, Process, Runner


@pytest.fixture
def leader(database_url: str) -> Iterator[None]:
    """An AppCore that leads, as far as the database knows."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [supervisor.LEADER_LOCK])
        yield


@pytest.fixture
def runner(db: None) -> Runner:
    facts = {"cpus": 4, "memory_mb": 8000, "python": "3.11.2", "platform": "linux"}
    return Runner.objects.create(name="one", is_up=True, seen_at=timezone.now(), facts=facts)


def test_all_is_well_when_all_parts_are(client: Client, leader: None, runner: Runner) -> None:
    answer = client.get("/api/v1/health")
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "ok"
    assert {found[part]["status"] for part in ("database", "appcore", "runner")} == {"ok"}
    assert found["database"]["seconds"] > 0
    assert 0 <= found["runner"]["age_seconds"] < 20


def test_without_a_leading_appcore_it_is_503(client: Client, database_url: str) -> None:
    answer = client.get("/api/v1/health")
    assert answer.status_code == 503
    found = answer.json()
    assert (found["status"], found["database"]["status"]) == ("down", "ok")
    assert (found["appcore"]["status"], found["runner"]["status"]) == ("down", "unknown")


def test_a_runner_that_was_not_seen_for_long_is_down(client: Client, leader: None, runner: Runner) -> None:
    Runner.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    answer = client.get("/api/v1/health")
    assert answer.status_code == 503
    assert answer.json()["runner"]["status"] == "down"
    assert answer.json()["runner"]["age_seconds"] > 299


def test_a_database_that_does_not_answer_is_down_and_the_rest_unknown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> None:
        raise OperationalError("could not connect")

    monkeypatch.setattr(liveness, "database_answers", breaks)
    answer = client.get("/api/v1/health")
    assert answer.status_code == 503
    found = answer.json()
    assert [found[part]["status"] for part in ("database", "appcore", "runner")] == ["down", "unknown", "unknown"]


def test_runners_show_processes_that_one_may_see(
    client_of: Callable[..., Client], echo: Application, runner: Runner
) -> None:
    foreign = makers.application("other", "elsewhere")
    for application in (echo, foreign):
        Process.objects.create(
            id=uuid.uuid4(), application=application, release=application.release, runner=runner, state="ready",
            started_at=timezone.now(),
        )  # fmt: skip
    (found,) = client_of("member").get("/api/v1/runners").json()["items"]
    assert (found["name"], found["cpus"], found["is_up"]) == ("one", 4, True)
    assert [row["application"] for row in found["processes"]] == ["acme/echo"]


def test_metrics_count_what_there_is(owner: Client, echo: Application, runner: Runner) -> None:
    for status in ("succeeded", "succeeded", "failed", "queued"):
        make_execution(echo, status=status)
    text = owner.get("/metrics").content.decode()
    for line in (
        'ovd_applications{phase="idle"} 1.0',
        'ovd_applications{phase="executing"} 0.0',
        'ovd_executions_last_hour{status="succeeded"} 2.0',
        'ovd_executions_last_hour{status="expired"} 0.0',
        "ovd_queue_length 1.0",
        'ovd_processes{state="ready"} 0.0',
        'ovd_releases{state="ready"} 1.0',
        "ovd_runners_up 1.0",
        "ovd_appcore_leads 0.0",
    ):
        assert line in text


def test_metrics_count_what_is_learned(owner: Client, echo: Application) -> None:
    taken = makers.learning_run(echo, 1)
    makers.learning_run(echo, 2, "failed")
    for number, step in enumerate((taken, None, None), start=1):
        makers.batch(echo, number, samples=10, step=step)
    for number in (1, 2):
        makers.promotion(makers.model_version(echo, number))
    text = owner.get("/metrics").content.decode()
    for line in (
        "ovd_batches_total 3.0",
        "ovd_pending_samples 20.0",
        'ovd_learning_runs{status="promoted"} 1.0',
        'ovd_learning_runs{status="running"} 0.0',
        'ovd_models{state="active"} 1.0',
        'ovd_models{state="retired"} 1.0',
        'ovd_promotions_total{kind="promote"} 2.0',
        'ovd_promotions_total{kind="rollback"} 0.0',
    ):
        assert line in text


def test_metrics_need_a_token_except_on_this_machine(client: Client, owner: Client) -> None:
    assert client.get("/metrics").status_code == 200
    problem(client.get("/metrics", REMOTE_ADDR="192.0.2.7"), 401, "unauthorised")
    problem(client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}), 401, "unauthorised")
    assert owner.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
