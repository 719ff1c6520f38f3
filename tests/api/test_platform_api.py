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
from ovd_saas.store import notices
from ovd_saas.store.queries import liveness
from ovd_saas.store.records import Application, Process, Runner, User


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


def test_metrics_tell_memory_templates_and_walls_of_each_machine(owner: Client, runner: Runner) -> None:
    template = {"preload": [], "pid": 7, "memory_mb": 30.0, "children": 2, "used_at": "", "environment": ""}
    runner.facts |= {"walls": {"files": "", "network": "Not here."}, "applications_mb": 2000, "templates": [template]}
    runner.save()
    said = owner.get("/metrics").content.decode()
    figures = {"memory_held_mb": 0, "memory_total_mb": 2000, "templates": 1, "templates_mb": 30, "walls_missing": 1}
    lines = [f'ovd_{name}{{machine="one"}} {value:.1f}' for name, value in figures.items()]
    for line in (*lines, "ovd_waiting_for_memory 0.0"):
        assert line in said.splitlines(), line


def test_runners_show_walls_memory_and_how_processes_were_born(
    client_of: Callable[..., Client], echo: Application, runner: Runner
) -> None:
    runner.facts |= {"walls": {"files": "", "network": "Not here. Allow it."}, "applications_mb": 2000}
    runner.save()
    Process.objects.create(
        id=uuid.uuid4(), application=echo, release=echo.release, runner=runner, state="ready", memory_mb=512,
        how="fork", ready_seconds=0.0125, started_at=timezone.now(),
    )  # fmt: skip
    (found,) = client_of("member").get("/api/v1/runners").json()["items"]
    walls = {wall["name"]: (wall["stands"], wall["why_not"]) for wall in found["walls"]}
    assert walls == {"files": (True, ""), "network": (False, "Not here. Allow it.")}
    assert {name: found["memory"][name] for name in ("total_mb", "held_mb", "free_mb", "waiting")} == {
        "total_mb": 2000, "held_mb": 512, "free_mb": 1488, "waiting": 0,
    }  # fmt: skip
    (process,) = found["processes"]
    assert (process["how"], process["ready_seconds"], process["memory_mb"]) == ("fork", 0.0125, 512)


def test_templates_of_foreign_environments_are_not_shown(
    client_of: Callable[..., Client], echo: Application, runner: Runner
) -> None:
    assert echo.release is not None
    template = {"preload": ["numpy", "numpy.random"], "pid": 7, "memory_mb": 30.0, "children": 2}
    template |= {"used_at": "2026-11-22T12:00:00Z"}
    environments = (echo.release.environment, "sha256:" + "f" * 64)
    runner.facts |= {"templates": [template | {"environment": each} for each in environments], "templates_mb": 4096}
    runner.save()
    (found,) = client_of("member").get("/api/v1/runners").json()["items"]
    (seen,) = found["templates"]
    assert (seen["libraries"], seen["environment"], seen["applications"]) == (["numpy"], environments[0], 1)
    assert (found["memory"]["templates_mb"], found["memory"]["templates_most_mb"]) == (60.0, 4096)


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


def test_staff_drains_a_machine_and_takes_it_back(client_of: Callable[..., Client], runner: Runner) -> None:
    address = "/api/v1/runners/one/drain"
    body = {"reason": "New memory"}
    owner = client_of("owner")
    problem(owner.post(address, body, content_type="application/json"), 403, "forbidden")
    User.objects.filter(username="owner").update(is_staff=True)
    notices.notify("access")
    staff = client_of("owner")
    found = staff.post(address, body, content_type="application/json").json()["drained"]
    assert (found["by"], found["reason"]) == ("user:owner", "New memory")
    problem(staff.post(address, body, content_type="application/json"), 409, "already_drained")
    assert staff.generic("POST", "/api/v1/runners/one/take-back").json()["drained"] is None
    problem(staff.generic("POST", "/api/v1/runners/one/take-back"), 409, "not_drained")
    problem(staff.generic("POST", "/api/v1/runners/none/take-back"), 404, "not_found")
