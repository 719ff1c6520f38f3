"""Learning with a real runner and real processes: from a due run to the verdict, and through every loss."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

import makers
import runners
from ovd_saas.appcore import applications, executions, learning_runs, models, releases, snapshots
from ovd_saas.appcore.loops.learning import Learning
from ovd_saas.files import store as files
from ovd_saas.store.records import (
    Application,
    Batch,
    Execution,
    LearningEvent,
    LearningRun,
    ModelVersion,
    Process,
    Promotion,
    Snapshot,
    Transition,
)
from runners import Core, until


class Stage:
    """An application that learns, and the loops that make it."""

    def __init__(self, core: Core, **tables: dict[str, Any]) -> None:
        self.core = core
        self.loop = Learning(core.runner.engine, core.watching.runner)
        release = releases.submit(
            organisation=makers.organisation(), name=None, digest=runners.archive("learner"), size=1, by="user:ana",
            by_id=makers.user().pk, now=timezone.now(),
        )  # fmt: skip
        until(lambda: not core.building.tick())
        release.refresh_from_db()
        assert release.state == "ready", release.error
        for name, values in tables.items():
            release.manifest[name] = {**release.manifest[name], **values}
        release.save()
        self.id = release.application_id

    @property
    def application(self) -> Application:
        return Application.objects.select_related("organisation", "release", "model").get(pk=self.id)

    def feed(self, *values: float, act: str | None = None) -> Batch:
        """One batch; `act` stands in its first sample."""
        rows = [{"value": value, **({"act": act} if act and not place else {})} for place, value in enumerate(values)]
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        last = Batch.objects.filter(application=self.id).count()
        digest = files.put(text)
        return Batch.objects.create(
            application_id=self.id, number=last + 1, samples=len(values), digest=digest, received=digest,
            size=len(text), kind="intake", media_type="application/x-ndjson", caller="user:1",
            created_at=timezone.now(),
        )  # fmt: skip

    def due(self) -> LearningRun:
        return learning_runs.submit(
            application=self.application, trigger="manual", cause="user:ana", reason="Ana asked for it.",
            by="user:ana", now=timezone.now(),
        )  # fmt: skip

    def tick(self) -> None:
        self.loop.tick()
        self.core.living.tick()

    def until(self, run: LearningRun, *statuses: str, within: float = 30.0) -> LearningRun:
        def is_so() -> bool:
            self.tick()
            run.refresh_from_db()
            return run.status in statuses

        try:
            until(is_so, within)
        except AssertionError:
            raise AssertionError(f"run is {run.status}: {run.reason} {run.error}; log: {run.log}") from None
        return run

    def learn(self) -> LearningRun:
        run = self.due()
        return self.until(run, "promoted", "rejected", "failed", "awaiting", "cancelled")

    def until_it_tells(self, run: LearningRun, kind: str = "progress") -> None:
        def has_told() -> bool:
            self.tick()
            return LearningEvent.objects.filter(run=run, kind=kind).exists()

        until(has_told)

    def restart(self) -> None:
        """AppCore goes, and another one comes."""
        self.loop.stop()
        self.loop = Learning(self.core.runner.engine, self.core.watching.runner)


@pytest.fixture
def stage(core: Core) -> Iterator[Stage]:
    made = Stage(core)
    yield made
    made.loop.stop()


def manifest(stage: Stage, table: str, **values: Any) -> None:
    release = stage.application.release
    assert release is not None
    release.manifest[table] = {**release.manifest[table], **values}
    release.save()


def test_a_due_run_learns_is_judged_and_its_model_is_live(stage: Stage) -> None:
    stage.feed(1, 2, 3, 2)
    stage.feed(2, 2, 2, 2)
    run = stage.learn()
    assert (run.status, run.metrics["samples"]) == ("promoted", 6.0), run.error
    assert run.snapshot is not None and (run.snapshot.train, run.snapshot.holdout) == (6, 2)
    model = stage.application.model
    assert model is not None and (model.number, model.state, model.metrics) == (1, "active", {"mae": 0.0})
    assert run.gate is not None and run.gate["passed"] and run.gate["sentence"].startswith("Passed")
    assert set(Batch.objects.values_list("step", flat=True)) == {run.pk}
    [entry] = Promotion.objects.all()
    assert (entry.model, entry.previous, entry.actor) == (model, None, "gate")
    regions = list(Transition.objects.filter(region="learning").order_by("pk").values_list("target", flat=True))
    assert regions == ["due", "learning", "evaluating", "resting"]
    kinds = set(LearningEvent.objects.filter(run=run).values_list("kind", flat=True))
    assert {"status", "progress", "metric", "log"} <= kinds
    assert "learned 6 samples" in run.log
    assert {"release", "environment", "snapshot", "candidate"} <= run.digests.keys()
    until(lambda: not Process.objects.exclude(state="ended").exists())


def test_a_worse_candidate_is_rejected_and_kept_with_the_reason(stage: Stage) -> None:
    stage.feed(2, 2, 2, 2, 2, 2, 2, 2)
    assert stage.learn().status == "promoted"
    stage.feed(900, 900, 2, 2, 2, 2)
    run = stage.learn()
    assert run.status == "rejected"
    assert run.candidate is not None and run.candidate.state == "rejected"
    assert run.gate is not None and run.candidate.reason == run.gate["sentence"]
    model = stage.application.model
    assert model is not None and model.number == 1
    assert not Batch.objects.filter(step=None).exists()


def test_a_failed_run_keeps_its_log_gives_its_batches_back_and_serving_goes_on(stage: Stage) -> None:
    stage.feed(2, 2, 2, 2)
    assert stage.learn().status == "promoted"
    bad = stage.feed(2, 2, 2, 2, 2, 2, act="fail")
    run = stage.learn()
    assert run.status == "failed" and run.error is not None
    assert "cannot learn from this" in run.error["message"] and "app.py" in run.error["traceback"]
    bad.refresh_from_db()
    application = stage.application
    assert (bad.step, application.health, application.learning) == (None, "healthy", "resting")
    assert application.model is not None


def test_a_failed_run_is_tried_again_as_often_as_its_author_allows(stage: Stage) -> None:
    manifest(stage, "learn", retries=1)
    stage.feed(2, 2, act="fail")
    run = stage.due()
    stage.until(run, "failed")
    assert (run.attempts, run.failures) == (2, 2)
    tried = Transition.objects.filter(region="learning", source="learning", target="due").first()
    assert tried is not None and "tried again in 1 s" in tried.reason


def test_a_process_that_dies_goes_on_from_its_checkpoint(stage: Stage) -> None:
    stage.feed(2, 2, 2)
    stage.feed(2, 2, 2, act="die")
    run = stage.learn()
    assert run.status == "promoted", run.error
    assert (run.metrics["resumed_at"], run.attempts, run.failures) == (4.0, 2, 1)


def test_a_process_that_takes_too_much_memory_fails_and_says_so(stage: Stage) -> None:
    stage.feed(2, 2, act="eat")
    run = stage.learn()
    assert run.status == "failed" and run.error is not None and run.error["code"] in ("memory", "limit")


def test_learning_longer_than_its_time_limit_fails(stage: Stage) -> None:
    manifest(stage, "learn", timeout=1)
    stage.feed(2, 2, act="slow")
    run = stage.learn()
    assert run.status == "failed" and run.error is not None and run.error["code"] == "timeout"


def test_a_model_that_cannot_be_loaded_is_never_promoted(stage: Stage) -> None:
    stage.feed(2, 2, 2, act="broken")
    run = stage.learn()
    assert run.status == "failed" and run.candidate is not None and run.candidate.state == "rejected"
    assert stage.application.model is None


def test_without_samples_there_is_nothing_to_learn(stage: Stage) -> None:
    run = stage.learn()
    assert run.status == "failed" and run.error is not None
    assert run.error["code"] == "nothing_to_learn"


def test_a_cancelled_run_stops_its_process_and_takes_nothing(stage: Stage) -> None:
    batch = stage.feed(2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    learning_runs.cancel(run_id=run.pk, by="user:ana", now=timezone.now())
    until(lambda: stage.tick() or not Process.objects.exclude(state="ended").exists())
    run.refresh_from_db()
    batch.refresh_from_db()
    assert (run.status, run.reason, batch.step, run.candidate) == ("cancelled", "Cancelled by ana.", None, None)
    assert stage.application.learning == "resting"
    with pytest.raises(learning_runs.AlreadyEnded):
        learning_runs.cancel(run_id=run.pk, by="user:ana", now=timezone.now())


def test_one_application_has_one_open_run(stage: Stage) -> None:
    stage.feed(2, 2)
    stage.due()
    with pytest.raises(learning_runs.AlreadyLearning):
        stage.due()


def test_a_restarted_appcore_finds_the_process_that_learns_and_hears_what_it_missed(stage: Stage) -> None:
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    process = LearningRun.objects.get(pk=run.pk).process
    stage.restart()
    stage.until(run, "promoted")
    assert run.attempts == 1 and run.metrics["samples"] == 2.0
    assert Process.objects.filter(kind="learn").count() == 1 and Process.objects.get(kind="learn").pk == process
    steps = [e.body["step"] for e in LearningEvent.objects.filter(run=run, kind="metric").order_by("pk")]
    assert steps == [1, 2]


def test_a_holder_of_an_old_lease_writes_nothing(stage: Stage) -> None:
    stage.feed(2, 2, 2)
    run = stage.due()
    begun = learning_runs.begin(run, application=stage.application, now=timezone.now())
    assert begun is not None
    newer = learning_runs.take_lease(run.pk, now=timezone.now())
    stored = files.put_stream([b"late"])
    late = learning_runs.keep_candidate(
        begun, stored=files.Stored(*stored), metrics={}, seconds=1.0, now=timezone.now()
    )
    assert late is None and not ModelVersion.objects.exists()
    assert not learning_runs.fail(begun, code="x", message="late", now=timezone.now())
    assert learning_runs.keep_lease(begun, now=timezone.now()) is None
    assert learning_runs.keep_lease(newer, now=timezone.now()) == ("running", "learning", "enabled")


def test_a_runner_that_is_killed_costs_no_attempt(stage: Stage) -> None:
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    stage.core.runner.kill()
    stage.until(run, "queued", "running")
    stage.core.runner.start()
    stage.until(run, "promoted", within=60)
    assert run.failures == 0 and run.attempts >= 2


def queue(stage: Stage) -> Execution:
    return executions.submit(
        application=stage.application, inputs={"value": 1}, seed=1, deadline_at=None, caller="user:1", by_id=None,
        cause={"kind": "api"}, idempotency_key=None, request_digest="", now=timezone.now(),
    )[0]  # fmt: skip


def wakes(stage: Stage) -> bool:
    stage.tick()
    return stage.application.service == "awake"


def test_together_a_user_is_served_while_it_learns(stage: Stage) -> None:
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    queue(stage)
    until(lambda: wakes(stage))
    run.refresh_from_db()
    assert (run.status, stage.application.learning) == ("running", "learning")


def test_with_the_policy_yield_learning_saves_gives_way_and_resumes_when_asleep(stage: Stage) -> None:
    manifest(stage, "learn", on_wake="yield")
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    waiting = queue(stage)
    until(lambda: wakes(stage))
    run.refresh_from_db()
    assert (run.status, stage.application.learning) == ("paused", "due") and run.checkpoint
    stage.tick()
    assert LearningRun.objects.get(pk=run.pk).status == "paused"
    executions.cancel(execution_id=waiting.pk, by="user:ana", now=timezone.now())
    applications.act(application=stage.application, action="sleep", by="user:ana", now=timezone.now())
    stage.until(run, "promoted")
    assert run.metrics["resumed_at"] == 1.0 and run.failures == 0


def test_one_that_does_not_listen_is_stopped_after_its_time_to_yield(stage: Stage) -> None:
    manifest(stage, "learn", on_wake="yield", yield_within=0.3)
    stage.feed(2, 2, 2, act="deaf")
    run = stage.due()
    stage.until_it_tells(run)
    queue(stage)
    until(lambda: wakes(stage))
    run.refresh_from_db()
    assert (run.status, run.checkpoint) == ("paused", "")
    assert "before it had saved a checkpoint" in run.reason


def test_with_the_policy_finish_the_user_waits_until_learning_is_done(stage: Stage) -> None:
    manifest(stage, "learn", on_wake="finish")
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    queue(stage)
    stage.tick()
    assert stage.application.service == "asleep"
    stage.until(run, "promoted")
    until(lambda: wakes(stage))
    served = Process.objects.get(kind="serve", state="ready")
    assert served.model == stage.application.model


def test_a_suspended_application_pauses_and_a_retired_one_learns_no_more(stage: Stage) -> None:
    stage.feed(2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    applications.act(application=stage.application, action="suspend", by="user:ana", now=timezone.now())
    stage.until(run, "paused")
    applications.act(application=stage.application, action="retire", by="user:ana", now=timezone.now())
    stage.until(run, "cancelled")
    assert "retired" in run.reason


def test_with_manual_approval_a_person_decides(stage: Stage) -> None:
    manifest(stage, "gate", approve="manual")
    stage.feed(2, 2, 2, 2)
    run = stage.learn()
    assert run.status == "awaiting" and run.candidate is not None
    assert stage.application.model is None and stage.application.learning == "resting"
    models.promote(
        application=stage.application, model=run.candidate, by="user:ana", reason="It looks right.", now=timezone.now()
    )
    run.refresh_from_db()
    assert run.status == "promoted"
    model = stage.application.model
    assert model is not None and model.number == 1


def test_a_candidate_of_a_version_that_is_no_longer_live_is_rejected(stage: Stage) -> None:
    for values in ((2, 2, 2, 2), (2, 2, 2, 2)):
        stage.feed(*values)
        assert stage.learn().status == "promoted"
    stage.feed(2, 2, 2, 2, 2, 2, act="slow")
    run = stage.due()
    stage.until_it_tells(run)
    models.rollback(application=stage.application, to=None, by="user:ana", reason="Trouble.", now=timezone.now())
    stage.until(run, "rejected")
    model = stage.application.model
    assert model is not None and model.number == 1


def test_an_awake_application_is_swapped_when_the_new_process_is_ready(stage: Stage) -> None:
    stage.feed(2, 2, 2, 2)
    applications.act(application=stage.application, action="wake", by="user:ana", now=timezone.now())
    until(lambda: wakes(stage))
    old = Process.objects.get(kind="serve", state="ready")
    run = stage.learn()
    assert run.status == "promoted"
    new = Process.objects.get(kind="serve", state="ready", model=stage.application.model)
    assert new.pk != old.pk
    until(lambda: stage.tick() or Process.objects.get(pk=old.pk).state == "ended")


def test_an_online_learner_learns_each_sample_once_along_its_line(stage: Stage) -> None:
    manifest(stage, "learn", data="new")
    for _ in range(3):
        stage.feed(2, 2, 2, 2)
        assert stage.learn().status == "promoted"
    learned: list[tuple[int, int]] = []
    for snapshot in Snapshot.objects.order_by("last"):
        learned += [(line.batch, line.line) for line in snapshots.train_lines(snapshot)]
    assert learned == sorted(set(learned)) and len(learned) == 11


def test_samples_that_were_put_into_a_further_batch_are_not_learned_again(stage: Stage) -> None:
    manifest(stage, "learn", data="new")
    stage.feed(2, 2, 2, 2)
    first = stage.learn()
    rest = stage.feed(2, 2, 2)
    Batch.objects.filter(pk=rest.pk).update(step=first)
    stage.feed(2, 2, 2, 2)
    second = stage.learn()
    assert second.snapshot is not None
    assert [number for number, _, _ in second.snapshot.batches] == [1, 3]


def test_a_killed_evaluation_is_judged_again_after_a_restart(stage: Stage) -> None:
    stage.feed(2, 2, 2, 2)
    run = stage.due()
    stage.until(run, "evaluating")
    stage.restart()
    for process in Process.objects.filter(kind="evaluate").exclude(state="ended").exclude(pid=None):
        os.kill(process.pid or 0, signal.SIGKILL)
    stage.until(run, "promoted")
    assert ModelVersion.objects.count() == 1
