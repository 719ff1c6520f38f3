"""Bytes that nothing refers to any more are removed, after a grace, and never any others."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import CharField, JSONField

import makers
from ovd_saas.appcore import executions, loose_files, releases
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import executions as states
from ovd_saas.files import store as files
from ovd_saas.store import records
from ovd_saas.store.queries.loose_files import REFERENCES
from ovd_saas.store.records import Application, Execution, ExecutionEvent, LooseFile, Sample

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
LATER = NOW + 2 * loose_files.GRACE


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> None:
    settings.FILES = str(tmp_path / "files")


@pytest.fixture
def application() -> Application:
    return makers.application()


def file(data: bytes) -> dict[str, Any]:
    return {"name": "a", "media_type": "text/plain", "size": len(data), "digest": files.put(data)}


def finished(application: Application, inputs: Any, outputs: Any = None, status: str = states.SUCCEEDED) -> Execution:
    return Execution.objects.create(
        id=executions.new_id(), application=application, status=status, inputs=inputs, outputs=outputs, seed=1,
        created_at=NOW, finished_at=NOW, caller="user:1",
    )  # fmt: skip


def take_down(execution: Execution) -> None:
    executions.take_down(execution_id=execution.pk, by="user:ana", now=NOW)


def test_the_files_of_what_was_taken_down_are_removed_after_the_grace(application: Application) -> None:
    given, made, streamed = file(b"in"), file(b"out"), file(b"streamed")
    execution = finished(application, {"a": given}, {"b": made})
    ExecutionEvent.objects.create(execution=execution, kind="output", body={"name": "c", "value": streamed}, at=NOW)
    take_down(execution)
    loose_files.sweep(now=NOW)
    assert all(files.exists(one["digest"]) for one in (given, made, streamed))
    loose_files.sweep(now=LATER)
    assert not any(files.exists(one["digest"]) for one in (given, made, streamed))
    assert not LooseFile.objects.exists()


@pytest.mark.parametrize("where", ["inputs", "outputs", "deep", "streamed", "sample", "release"])
def test_what_anything_else_refers_to_stays(application: Application, where: str) -> None:
    shared = file(b"shared")
    if where == "inputs":
        finished(application, {"x": shared})
    elif where == "outputs":
        finished(application, {}, {"x": shared})
    elif where == "deep":
        finished(application, {}, {"x": [{"pages": [shared]}]})
    elif where == "streamed":
        running = finished(application, {}, status=states.RUNNING)
        ExecutionEvent.objects.create(execution=running, kind="output", body={"name": "x", "value": shared}, at=NOW)
    elif where == "sample":
        Sample.objects.create(application=application, title="x", inputs={"x": shared}, created_at=NOW)
    else:
        application.releases.update(digest=shared["digest"])
    take_down(finished(application, {"a": shared}))
    loose_files.sweep(now=LATER)
    assert files.exists(shared["digest"])
    assert not LooseFile.objects.exists()


def test_bytes_go_with_the_last_of_two_executions(application: Application) -> None:
    shared = file(b"shared")
    first, second = finished(application, {"a": shared}), finished(application, {"a": shared})
    take_down(first)
    loose_files.sweep(now=LATER)
    take_down(second)
    loose_files.sweep(now=LATER)
    assert not files.exists(shared["digest"])


def test_bytes_that_were_stored_again_lately_stay_until_their_row_is_written(application: Application) -> None:
    shared = file(b"shared")
    path = files.path(shared["digest"])
    assert path is not None
    os.utime(path, (0, 0))
    take_down(finished(application, {"a": shared}))
    LooseFile.objects.update(since=NOW - 2 * loose_files.GRACE)
    file(b"shared")  # an upload whose execution has no row yet
    loose_files.sweep(now=NOW)
    assert files.exists(shared["digest"])
    loose_files.sweep(now=LATER + timedelta(seconds=1))
    assert not files.exists(shared["digest"])


def test_a_refused_archive_is_let_go() -> None:
    digest = files.put(b"no archive")
    with pytest.raises(Refusal):
        releases.submit(
            organisation=makers.organisation(), name="flow", digest=digest, size=10, by="user:ana", by_id=None, now=NOW
        )
    loose_files.sweep(now=LATER)
    assert not files.exists(digest)


NO_FILES = {
    "Application.foreseen", "Application.network_allowed", "Application.notice", "Application.promotion",
    "Batch.origin", "Batch.received", "DeliveryKey.received",
    "DriftMeasure.fields", "DriftMeasure.window", "DriftReference.profile", "Execution.cause", "Execution.digests",
    "Execution.error", "Execution.feedback", "Execution.hardware", "Execution.progress", "Execution.request_digest",
    "Execution.sampled", "LearningEvent.body", "LearningRun.digests", "LearningRun.error", "LearningRun.gate",
    "LearningRun.hardware", "LearningRun.metrics", "LearningRun.progress", "Lookout.said", "LooseFile.digest",
    "ModelVersion.metrics", "Release.environment", "Release.findings", "Release.manifest", "Release.schema",
    "Runner.facts", "Snapshot.batches", "Snapshot.digest", "Snapshot.rule",
}  # fmt: skip


def test_every_column_that_may_name_bytes_is_asked_or_known_to_name_none() -> None:
    """A new table with digests fails here until somebody decides: otherwise its bytes could be removed."""
    named = {
        f"{name}.{field.name}"
        for name in records.__all__
        for field in getattr(records, name)._meta.fields
        if isinstance(field, JSONField) or (isinstance(field, CharField) and field.max_length == len("sha256:") + 64)
    }
    assert named == NO_FILES | set(REFERENCES)
