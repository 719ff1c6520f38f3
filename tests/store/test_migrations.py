"""Migrations: what a platform of before knew is there after an upgrade, and can go on."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from ovd_saas.store.records import Application, Execution, Process

BEFORE_LEARNING = ("store", "0003_upcoming_release")


def migrate(to: tuple[str, str]) -> Apps:
    executor = MigrationExecutor(connection)
    return executor.migrate([to]).apps


def latest() -> tuple[str, str]:
    [leaf] = [node for node in MigrationExecutor(connection).loader.graph.leaf_nodes() if node[0] == "store"]
    return leaf


@pytest.fixture
def before(transactional_db: None) -> Iterator[Apps]:
    """The tables as they were before applications learned."""
    yield migrate(BEFORE_LEARNING)
    migrate(latest())


def test_applications_executions_and_processes_of_before_learning_live_on(before: Apps) -> None:
    now = timezone.now()
    organisation = before.get_model("store", "Organisation").objects.create(slug="acme", title="Acme")
    application = before.get_model("store", "Application").objects.create(
        organisation=organisation, name="echo", title="Echo", status="enabled", service="awake", since=now
    )
    release = before.get_model("store", "Release").objects.create(
        application=application, number=1, state="ready", digest="sha256:" + "a" * 64, manifest={"execute": {}}
    )
    runner = before.get_model("store", "Runner").objects.create(name="here")
    before.get_model("store", "Process").objects.create(
        id=uuid4(), application=application, release=release, runner=runner, state="ready", started_at=now
    )
    before.get_model("store", "Execution").objects.create(
        id=uuid4(), application=application, release=release, status="succeeded", inputs={"text": "a"},
        outputs={"result": "A"}, seed=7, created_at=now, caller="user:1",
    )  # fmt: skip

    migrate(latest())

    after = Application.objects.get(pk=application.pk)
    assert (after.name, after.service, after.learning, after.model) == ("echo", "awake", "resting", None)
    process = Process.objects.get()
    assert (process.state, process.kind, process.model, process.run) == ("ready", "serve", None, None)
    execution = Execution.objects.get()
    assert (execution.inputs, execution.outputs, execution.seed) == ({"text": "a"}, {"result": "A"}, 7)
    assert (execution.consent, execution.model, execution.feedback) == (False, None, None)
