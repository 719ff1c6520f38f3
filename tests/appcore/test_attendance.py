"""Attendances and the loop that begins them: what must not keep a run open for ever, or cost what it has learned."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

import makers
import runners
from appcore.test_learning import Stage, manifest, stage
from appcore.test_living import act, fresh, lives
from appcore.test_models import live, promote, reading, task
from ovd_saas.appcore import applications, learning_runs, models
from ovd_saas.appcore.loops.learning import Learning
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, LearningRun, LooseFile, ModelVersion, Process, Release
from runners import Core, until

__all__ = ["stage"]
NOW = timezone.now


def test_one_that_gives_way_unasked_has_failed(stage: Stage) -> None:
    stage.feed(2, 2, act="quit")
    run = stage.learn()
    assert run.status == "failed" and run.error is not None
    assert "nobody had asked" in run.error["message"]


def test_what_only_looks_like_a_file_is_learned_from_as_it_is(stage: Stage) -> None:
    foreign = files.put(b"somebody else's")
    release = stage.application.release
    assert release is not None
    Release.objects.filter(pk=release.pk).update(
        schema={**release.schema, "sample": {"type": "object", "properties": {}, "required": []}}
    )
    lines = f'{{"value":2,"of":{{"digest":"abc"}}}}\n{{"value":2,"of":{{"digest":"{foreign}"}}}}\n'.encode() * 2
    digest = files.put(lines)
    makers.batch(stage.application, 1, 4, digest=digest)
    run = stage.learn()
    assert run.status == "promoted", run.error


def test_checkpoints_are_let_go_when_the_run_needs_them_no_more(stage: Stage) -> None:
    stage.feed(2, 2, 2, act="die")
    run = stage.learn()
    assert (run.status, run.checkpoint) == ("promoted", ""), run.error
    assert run.candidate is not None
    loose = set(LooseFile.objects.values_list("digest", flat=True))
    assert run.candidate.digest in loose and len(loose) >= 2, "the sweeper finds what is referred to by itself"


def test_a_database_that_goes_away_costs_nothing_that_was_learned(
    stage: Stage, kick_everybody_out: Callable[[], None]
) -> None:
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    kick_everybody_out()
    stage.until(run, "promoted")
    assert (run.attempts, Process.objects.filter(kind="learn").count()) == (1, 1)


def test_a_run_that_waits_while_a_release_comes_that_does_not_learn_is_cancelled(stage: Stage) -> None:
    stage.feed(2, 2)
    run = stage.due()
    release = stage.application.release
    assert release is not None
    release.manifest = {name: table for name, table in release.manifest.items() if name not in ("learn", "gate")}
    release.save()
    stage.until(run, "cancelled")
    assert "does not learn" in run.reason and stage.application.learning == "resting"


def test_a_candidate_with_nothing_to_judge_it_by_is_rejected_and_says_so(stage: Stage) -> None:
    stage.feed(2)
    run = stage.learn()
    assert (run.status, run.error) == ("rejected", None)
    assert "the holdout has no samples" in run.reason


def test_the_moment_of_a_sample_that_tells_none_is_no_reason_to_stop(stage: Stage) -> None:
    manifest(stage, "learn", time="at")
    release = stage.application.release
    assert release is not None
    Release.objects.filter(pk=release.pk).update(schema={**release.schema, "sample": {"properties": {}}})
    lines = b'{"value":2,"at":"yesterday"}\n{"value":2,"at":"0001-01-01T00:00:00+05:00"}\n{"value":2}\n'
    lines += b'{"value":2,"at":"2026-01-01T00:00:00Z"}\n'
    makers.batch(stage.application, 1, 4, digest=files.put(lines))
    run = stage.learn()
    assert run.status == "promoted" and run.snapshot is not None and run.snapshot.holdout == 1


def test_nothing_is_judged_while_its_application_is_suspended(core: Core) -> None:
    application = reading(core)
    applications.act(application=application, action="suspend", by="user:ana", now=NOW())
    until(lambda: lives(core, application, "asleep"))
    run = makers.learning_run(application, 1, "evaluating")
    assert task(core, application, run, kind="evaluate") is None
    loop = Learning(core.runner.engine, core.watching.runner)
    loop.tick()
    assert LearningRun.objects.get(pk=run.pk).lease == 0
    loop.stop()


def test_a_run_that_is_cancelled_in_the_middle_of_a_swap_leaves_the_live_version(core: Core) -> None:
    application = reading(core)
    second = runners.model(application, 2, says="two")
    run = makers.learning_run(application, 1, "evaluating", candidate=second)
    Application.objects.update(learning="evaluating")
    assert models.promote(application=application, model=second, by="gate", reason="", now=NOW(), run=run) == "upcoming"
    learning_runs.cancel(run_id=run.pk, by="user:ana", now=NOW())
    second.refresh_from_db()
    assert (second.state, fresh(application).upcoming_model) == ("rejected", None)
    until(lambda: core.living.tick() or Process.objects.filter(kind="serve").exclude(state="ended").count() == 1)
    assert live(application) == 1


def test_falling_asleep_and_what_takes_over_then_are_one(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    application = reading(core)
    assert promote(runners.model(application, 2, says="two")) == "upcoming"
    act(application, "sleep")

    def breaks(**_: Any) -> None:
        raise OperationalError("The database went away.")

    with monkeypatch.context() as broken:
        broken.setattr(models, "take_over", breaks)
        with pytest.raises(OperationalError):
            until(lambda: core.living.tick() or False)
    assert fresh(application).service != "asleep"
    until(lambda: lives(core, application, "asleep"))
    assert (live(application), fresh(application).upcoming_model) == (2, None)


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["promote", "reject", "cancel"])
def test_an_application_is_locked_before_its_run_by_everybody(verb: str) -> None:
    application = makers.application()
    second = makers.model_version(application, 2)
    run = makers.learning_run(application, 1, "evaluating", candidate=second)
    ModelVersion.objects.update(run=run)
    Application.objects.update(learning="evaluating")
    verbs: dict[str, Callable[[], object]] = {
        "promote": lambda: models.promote(
            application=application, model=second, by="gate", reason="", now=NOW(), run=run
        ),
        "reject": lambda: models.reject(model=second, by="user:ana", reason="", now=NOW()),
        "cancel": lambda: learning_runs.cancel(run_id=run.pk, by="user:ana", now=NOW()),
    }

    def work() -> None:
        try:
            verbs[verb]()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    with transaction.atomic():
        Application.objects.select_for_update().get(pk=application.pk)
        thread.start()
        until(waits_for_a_lock)
        LearningRun.objects.select_for_update(nowait=True).get(pk=run.pk)  # nobody who waits for us holds it
    thread.join()
    assert LearningRun.objects.get(pk=run.pk).status in ("promoted", "rejected", "cancelled")
