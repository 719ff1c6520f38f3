"""Triggers on a real database, under a frozen clock: what makes a run, what is written down, what is found again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

import makers
from ovd_saas.appcore import learning_runs, triggers
from ovd_saas.store.queries import triggers as queries
from ovd_saas.store.records import Application, DriftMeasure, Lookout, TriggerEvaluation
from trigger_stage import START, Killed, Stage, die, killed_at

pytestmark = pytest.mark.django_db


def test_enough_samples_make_one_run_that_names_its_batches() -> None:
    stage = Stage(min_samples=25)
    stage.batch(10)
    stage.settle()
    assert stage.runs == []
    stage.batch(15)
    stage.settle()
    (run,) = stage.runs
    assert (run.trigger, run.cause, run.created_by) == ("data", "batches 1-2", "appcore")
    assert run.reason == "25 new samples have arrived, of 25 needed."
    skipped, due = stage.evaluations("data")
    assert (skipped.decision, skipped.reason, skipped.run) == ("skipped", "Skipped: only 10 of 25 samples.", None)
    assert (due.decision, due.run, due.cause) == ("due", run, "batches 1-2")
    assert stage.application.learning == "due"


def test_looking_again_writes_nothing_and_makes_nothing() -> None:
    stage = Stage(min_samples=25, schedule="0 3 * * *", quiet=60)
    stage.batch(10)
    stage.settle()
    before = stage.evaluations()
    for _ in range(5):
        assert stage.look() is None
    assert stage.evaluations() == before


def test_quiet_is_waited_for_and_the_loop_wakes_by_itself() -> None:
    stage = Stage(quiet=60)
    stage.batch()
    stage.settle()
    assert queries.earliest() == START + timedelta(seconds=60)
    stage.pass_time(30)
    stage.batch()
    stage.pass_time(59)
    assert stage.runs == []
    stage.pass_time(1)
    (run,) = stage.runs
    assert (run.cause, run.created_at) == ("batches 1-2", START + timedelta(seconds=90))


def test_what_arrives_while_a_run_is_queued_belongs_to_it() -> None:
    stage = Stage()
    stage.batch()
    stage.settle()
    stage.batch()
    stage.settle()
    assert stage.evaluations("data")[-1].reason == "Waits: looked at again when learning run 1 ends."
    stage.learn()
    stage.settle()
    assert len(stage.runs) == 1
    assert stage.evaluations("data")[-1].reason.startswith("Skipped: nothing is left that no run has taken.")


def test_what_arrives_while_a_run_learns_makes_the_next_one_due_when_it_ends() -> None:
    stage = Stage()
    stage.batch()
    stage.settle()
    stage.begin()
    stage.batch()
    stage.settle()
    assert len(stage.runs) == 1
    stage.end()
    stage.settle()
    assert [run.cause for run in stage.runs] == ["batch 1", "batch 2"]


@pytest.mark.parametrize("how", ["fail", "cancel"])
@pytest.mark.parametrize("has_begun", [True, False])
def test_a_run_that_came_to_nothing_has_used_up_its_trigger(how: str, has_begun: bool) -> None:
    stage = Stage(min_samples=10)
    stage.batch(10)
    stage.settle()
    if has_begun:
        stage.begin()
        stage.end(how)
    else:
        stage.end("cancel")
    stage.settle()
    assert len(stage.runs) == 1
    first = stage.application.batches.get()
    assert first.step is None, "it is visibly pending"
    stage.batch(10)
    stage.settle()
    stage.begin()
    first.refresh_from_db()
    assert first.step == stage.runs[-1], "new data takes the older one along"


def test_a_run_that_finds_nothing_to_learn_is_not_repeated_for_ever() -> None:
    stage = Stage(data="new")
    batch = stage.batch()
    stage.settle()
    stage.take_down(batch.number)
    stage.learn()
    stage.settle()
    assert [run.status for run in stage.runs] == ["failed"]


def test_a_batch_that_was_taken_down_does_not_count() -> None:
    stage = Stage(min_samples=15)
    stage.batch(10)
    stage.take_down(1)
    stage.batch(10)
    stage.settle()
    assert stage.evaluations("data")[-1].reason == "Skipped: only 10 of 15 samples."


def test_runs_begin_at_most_every_so_often_whatever_became_of_them() -> None:
    stage = Stage(at_most_every=100)
    stage.batch()
    stage.settle()
    stage.learn("fail")
    stage.batch()
    stage.pass_time(99)
    assert len(stage.runs) == 1
    stage.pass_time(1)
    assert len(stage.runs) == 2


def test_the_example_of_the_documentation() -> None:
    """docs/explanation/triggers.md, the table under Data."""

    def at(hour: int, minute: int, second: int = 0) -> datetime:
        return START.replace(hour=hour, minute=minute, second=second)

    def last() -> tuple[str, Any]:
        row = stage.evaluations("data")[-1]
        return row.decision, row.reason if row.decision == "skipped" else row.again_at or row.cause

    def until(moment: datetime) -> None:
        stage.pass_time((moment - stage.now).total_seconds())

    stage = Stage(min_samples=100, quiet=60, max_wait=300, at_most_every=3600)
    until(at(14, 0))
    stage.batch(40)
    stage.settle()
    assert last() == ("skipped", "Skipped: only 40 of 100 samples.")
    until(at(14, 2, 5))
    stage.batch(80)
    stage.settle()
    assert last() == ("waits", at(14, 3, 5))
    until(at(14, 2, 50))
    stage.batch(10)
    stage.settle()
    assert last() == ("waits", at(14, 3, 50))
    until(at(14, 3, 50))
    assert last() == ("due", "batches 1-3")
    stage.begin()
    until(at(14, 4))
    stage.batch(200)
    stage.settle()
    until(at(14, 5))
    stage.end()
    stage.settle()
    assert last() == ("waits", at(15, 3, 50))
    until(at(15, 3, 50))
    assert last() == ("due", "batch 4")
    stage.begin()
    until(at(15, 5))
    stage.end("fail")
    until(at(16, 10))
    stage.batch(100)
    until(at(16, 11))
    assert last() == ("due", "batch 5")
    run = stage.begin()
    assert sorted(run.batches.values_list("number", flat=True)) == [4, 5]


# notices


def test_a_notice_makes_a_run_and_is_answered_by_it() -> None:
    stage = Stage(min_samples=100)
    evaluation = stage.notify(note="night import")
    (run,) = stage.runs
    assert (evaluation.decision, evaluation.run, run.trigger, run.created_by) == ("due", run, "notice", "user:ana")
    assert evaluation.cause == "notice of user:ana: night import"
    assert (stage.application.noticed_at, stage.application.notice) == (None, None)


def test_a_notice_while_a_run_is_open_is_kept_until_it_ends() -> None:
    stage = Stage()
    stage.notify()
    first, second = stage.notify(), stage.notify()
    assert first == second, "equal verdicts are one row"
    assert first.reason == "Waits: looked at again when learning run 1 ends."
    stage.learn()
    stage.settle()
    assert [run.trigger for run in stage.runs] == ["notice", "notice"]
    stage.learn()
    stage.settle()
    assert len(stage.runs) == 2


def test_an_unknown_source_is_refused_and_the_declared_ones_are_named() -> None:
    stage = Stage(sources=[{"address": "s3://flow/in"}, {"address": "/srv/flow"}])
    with pytest.raises(triggers.UnknownSource, match="It declares s3://flow/in, /srv/flow") as refused:
        stage.notify(source="s3://other")
    assert refused.value.errors[0].field == "source"
    with pytest.raises(triggers.UnknownSource, match="declares none"):
        Stage2().notify(source="x")


def Stage2() -> Stage:
    made = Stage.__new__(Stage)
    made.now, made.id = START, makers.application("other", learn={}).pk
    return made


def test_a_notice_that_names_a_source_has_it_pulled_and_makes_nothing_due_itself() -> None:
    stage = Stage(sources=[{"address": "s3://flow/in"}])
    evaluation = stage.notify(source="s3://flow/in")
    assert (evaluation.kind, evaluation.decision, evaluation.cause) == ("notice", "waits", "source s3://flow/in")
    assert stage.notify(source="s3://flow/in") == evaluation
    assert stage.application.pull_asked_at == START and stage.runs == []
    stage.settle()
    assert stage.evaluations() == [evaluation]


def test_a_notice_without_a_source_has_the_sources_pulled_first() -> None:
    stage = Stage(sources=[{"address": "s3://flow/in"}])
    assert stage.notify().reason == "Waits until the sources are pulled."
    stage.pass_time(5)
    assert stage.runs == []
    Application.objects.update(pull_asked_at=None)
    stage.look()
    assert [run.trigger for run in stage.runs] == ["notice"]


def test_a_source_that_is_never_pulled_does_not_keep_a_notice_for_ever() -> None:
    stage = Stage(sources=[{"address": "s3://flow/in"}])
    stage.notify()
    stage.pass_time(599)
    assert stage.runs == []
    stage.pass_time(1)
    assert len(stage.runs) == 1


def test_an_application_that_does_not_learn_takes_no_notice() -> None:
    application = makers.application("echo", learn=None)
    with pytest.raises(learning_runs.NotLearning, match="can only be executed"):
        triggers.notice(application=application, by="user:ana", note="", source=None, now=START)


def test_a_suspended_application_keeps_what_came_until_it_is_enabled() -> None:
    stage = Stage()
    stage.act("suspend")
    assert "suspended" in stage.notify().reason
    stage.batch()
    stage.settle()
    assert stage.runs == []
    stage.act("enable")
    stage.settle()
    (run,) = stage.runs
    assert run.trigger == "notice"
    assert {row.kind for row in stage.evaluations() if row.run == run} == {"notice", "data"}


def test_a_retired_application_is_left_alone() -> None:
    stage = Stage(quiet=60, schedule="0 * * * *")
    stage.batch()
    stage.settle()
    stage.act("suspend")
    stage.act("retire")
    stage.pass_time(7200)
    assert stage.runs == []
    assert queries.earliest() is None


# the schedule


def test_a_new_schedule_misses_nothing_and_the_loop_wakes_for_it() -> None:
    stage = Stage(min_samples=100, schedule="0 13 * * *", time_zone="UTC")
    stage.batch()
    stage.settle()
    assert queries.earliest() == START + timedelta(hours=1)
    stage.pass_time(3 * 3600)
    (run,) = stage.runs
    assert (run.trigger, run.cause, run.created_at) == (
        "schedule", "cron 2026-03-01T13:00+00:00", START + timedelta(hours=1)
    )  # fmt: skip


def test_what_was_missed_while_appcore_was_down_is_made_up_for_once() -> None:
    stage = Stage(min_samples=100, schedule="0 * * * *")
    stage.batch()
    stage.settle()
    stage.now += timedelta(days=3, minutes=30)  # nobody looks
    stage.settle()
    (run,) = stage.runs
    assert run.cause == "cron 2026-03-04T12:00+00:00" and "makes up for" in run.reason
    stage.learn()
    stage.pass_time(1700)
    assert len(stage.runs) == 1
    stage.pass_time(100)
    assert len(stage.runs) == 2


def test_a_time_that_passes_while_a_run_is_open_is_kept_until_it_ends() -> None:
    stage = Stage(min_samples=100, schedule="0 * * * *")
    stage.batch()
    stage.settle()
    stage.ask()
    stage.begin()
    stage.pass_time(2 * 3600)
    assert stage.evaluations("schedule")[-1].reason == "Waits: looked at again when learning run 1 ends."
    stage.end()
    stage.settle()
    assert [run.trigger for run in stage.runs] == ["manual", "schedule"]


def test_a_schedule_makes_no_run_of_nothing_new() -> None:
    stage = Stage(min_samples=100, schedule="0 * * * *", data="new")
    stage.pass_time(2 * 3600)
    assert stage.runs == []
    stage.batch()
    stage.pass_time(1800)
    assert stage.runs == []  # the moments that passed before it came are not made up for
    stage.pass_time(1800)
    assert len(stage.runs) == 1
    stage.learn()
    stage.pass_time(3 * 3600)
    assert len(stage.runs) == 1
    assert stage.evaluations("schedule")[-2].decision == "skipped"


def test_a_changed_schedule_counts_from_when_it_was_seen() -> None:
    stage = Stage(schedule="0 13 * * *")
    stage.settle()
    release = stage.application.release
    assert release is not None
    makers.release(stage.application, 2, learn={**release.manifest["learn"], "schedule": "30 12 * * *"})
    stage.now += timedelta(minutes=45)
    Application.objects.update(release=stage.application.releases.get(number=2))
    stage.settle()
    assert stage.runs == []
    assert queries.earliest() == datetime(2026, 3, 2, 12, 30, tzinfo=START.tzinfo)


def test_what_is_due_at_the_same_moment_is_answered_by_one_run() -> None:
    stage = Stage(schedule="0 13 * * *", quiet=3600)
    stage.batch()
    stage.pass_time(3600)
    (run,) = stage.runs
    assert {row.kind for row in stage.evaluations() if row.run == run} == {"schedule", "data"}
    stage.learn()
    stage.pass_time(3600)
    assert len(stage.runs) == 1


# drift and persons


def measure(stage: Stage, is_drifting: bool = True) -> None:
    application = stage.application
    model = application.model or makers.promotion(makers.model_version(application)).model
    DriftMeasure.objects.create(
        application=application, model=model, through=3, samples=500, fields={}, is_drifting=is_drifting,
        reason="flow drifts.", at=stage.now,
    )  # fmt: skip


def test_drift_makes_a_run_due_and_then_cools_down() -> None:
    stage = Stage(min_samples=1000, drift={"learn": True, "cooldown": 100})
    stage.batch()
    measure(stage)
    stage.settle()
    (run,) = stage.runs
    assert (run.trigger, run.cause, run.reason) == ("drift", "drift at batch 3", "Flow drifts.")
    stage.learn()
    stage.now += timedelta(seconds=10)
    measure(stage)
    stage.pass_time(89)
    assert len(stage.runs) == 1
    stage.pass_time(1)
    assert len(stage.runs) == 2


def test_drift_that_nobody_wants_to_learn_from_is_said() -> None:
    stage = Stage(drift={"learn": False})
    measure(stage)
    stage.settle()
    assert stage.runs == [] and stage.evaluations("drift")[0].decision == "skipped"


def test_a_measure_against_a_version_that_is_not_live_any_more_counts_for_nothing() -> None:
    stage = Stage(drift={"learn": True})
    measure(stage)
    makers.promotion(makers.model_version(stage.application, 2))
    stage.settle()
    assert stage.runs == []


def test_a_person_makes_a_run_at_any_time_but_while_one_is_open() -> None:
    stage = Stage(at_most_every=3600, min_samples=1000)
    run = stage.ask()
    (row,) = stage.evaluations()
    assert (row.kind, row.decision, row.run, row.reason) == ("manual", "due", run, "Due: Ana asked for it.")
    with pytest.raises(learning_runs.AlreadyLearning):
        stage.ask()
    stage.end("cancel")
    assert stage.ask().number == 2


# what is next, and what is found


def test_a_sleeping_application_says_what_makes_it_learn() -> None:
    stage = Stage(min_samples=100)
    stage.settle()
    assert stage.application.next_what == "Learns when 100 samples have arrived."
    stage.batch(12)
    stage.settle()
    assert (stage.application.next_what, stage.application.next_at) == (
        "Learns when 88 more samples have arrived.", None
    )  # fmt: skip
    stage.batch(100)
    stage.settle()
    Application.objects.update(next_what="Learns as soon as there is room.")  # as the plan says meanwhile
    stage.learn()
    stage.settle()
    assert stage.application.next_what == "Learns when 100 samples have arrived."


def test_a_sleeping_application_says_when_it_learns() -> None:
    stage = Stage(quiet=60)
    stage.batch()
    stage.settle()
    assert (stage.application.next_what, stage.application.next_at) == (
        "Learns, if nothing else happens.", START + timedelta(seconds=60)
    )  # fmt: skip


def test_applications_that_only_execute_are_asked_about_once() -> None:
    for number in range(5):
        makers.application(f"echo-{number}")
    stage = Stage()
    assert queries.candidates(START) == [stage.id]
    assert Lookout.objects.filter(learns=False).count() == 5
    stage.settle()
    assert queries.candidates(START) == []
    assert TriggerEvaluation.objects.count() == 0


def test_a_release_that_no_longer_learns_is_left_alone() -> None:
    stage = Stage(quiet=60)
    stage.batch()
    stage.settle()
    Application.objects.update(release=makers.release(stage.application, 2, learn=None))
    stage.pass_time(600)
    assert stage.runs == [] and queries.earliest() is None


# dying


def prepare(which: str) -> Stage:
    stage = Stage(min_samples=20, quiet=5 if which == "waits" else 0, schedule="0 * * * *")
    stage.settle()
    stage.batch(20)
    if which == "run ended":
        stage.ask()
        stage.begin()
        stage.batch(20)
        stage.now += timedelta(hours=1)
        stage.settle()
        stage.end()
    return stage


def outcome(stage: Stage) -> Any:
    rows = [(row.kind, row.decision, row.reason, row.run and row.run.number) for row in stage.evaluations()]
    application = stage.application
    lookout = {
        name: value for name, value in vars(application.lookout).items() if name.startswith(("next", "look", "is_"))
    }
    outlook = application.next_what if application.learning == "resting" else "as the living loop says"
    return rows, [run.cause for run in stage.runs], application.learning, outlook, lookout


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("which", ["data", "waits", "run ended"])
def test_dying_at_any_statement_of_a_look_changes_nothing_in_the_end(which: str) -> None:
    stage = prepare(which)
    with undone():
        stage.settle()
        stage.look()
        expected = outcome(stage)
    is_over = False
    for statement in range(1, 200):
        with undone():
            try:
                with killed_at(statement, die):
                    stage.settle()
                    stage.look()
                is_over = True
            except Killed:
                stage.settle()
                stage.look()
            assert outcome(stage) == expected, f"dying at statement {statement}"
        if is_over:
            break
    assert is_over and statement > 10


def test_dying_at_any_statement_of_a_notice_leaves_it_whole_or_not_there() -> None:
    stage = Stage(min_samples=1000)
    is_over = False
    for statement in range(1, 200):
        with undone():
            try:
                with killed_at(statement, die):
                    stage.notify()
                is_over = True
            except Killed:
                stage.settle()
                assert stage.runs == [] and stage.application.noticed_at is None, f"dying at statement {statement}"
                assert stage.notify().decision == "due"
            assert len(stage.runs) == 1
        if is_over:
            break
    assert is_over and statement > 10


def test_paused_triggers_make_nothing_due_and_say_who_paused_them() -> None:
    stage = Stage(min_samples=10, quiet=60, schedule="0 3 * * *")
    stage.settle()
    triggers.pause(application=stage.application, by="user:ana", reason="Meter changed", now=stage.now)
    assert stage.application.next_what == "Learns only when a person asks: ana paused what makes it learn."
    stage.batch(20)
    stage.pass_time(3 * 86_400)
    assert stage.runs == []
    last = stage.evaluations("data")[-1]
    assert (last.decision, last.again_at) == ("skipped", None)
    assert last.reason.startswith("Skipped: paused by ana: Meter changed.")
    assert queries.candidates(stage.now) == [], "nobody looks at it again by himself"


def test_resuming_takes_what_came_meanwhile_and_forgets_the_moments_that_passed() -> None:
    stage = Stage(min_samples=10, schedule="0 3 * * *")
    stage.settle()
    triggers.pause(application=stage.application, by="user:ana", reason="", now=stage.now)
    stage.batch(9)
    stage.pass_time(2 * 86_400)
    assert triggers.resume(application=stage.application, by="user:bo", now=stage.now) is None
    stage.settle()
    assert stage.runs == []
    assert Lookout.objects.get().next_at is not None
    triggers.pause(application=stage.application, by="user:ana", reason="", now=stage.now)
    stage.batch(9)
    stage.settle()
    run = triggers.resume(application=stage.application, by="user:bo", now=stage.now)
    assert run is not None
    assert (run.trigger, run.cause) == ("data", "batches 1-2")


def test_a_person_makes_it_learn_although_its_triggers_are_paused() -> None:
    stage = Stage(min_samples=10)
    stage.batch(10)
    triggers.pause(application=stage.application, by="user:ana", reason="", now=stage.now)
    run = learning_runs.submit(
        application=stage.application, trigger="manual", cause="user:ana", reason="ana asked for it.", by="user:ana",
        now=stage.now,
    )  # fmt: skip
    assert run.number == 1


def test_who_pauses_or_resumes_second_is_told_what_is_so() -> None:
    stage = Stage()
    triggers.pause(application=stage.application, by="user:ana", reason="", now=stage.now)
    with pytest.raises(triggers.Paused, match="ana has paused"):
        triggers.pause(application=stage.application, by="user:bo", reason="", now=stage.now)
    triggers.resume(application=stage.application, by="user:bo", now=stage.now)
    with pytest.raises(triggers.NotPaused):
        triggers.resume(application=stage.application, by="user:ana", now=stage.now)
    rows = stage.application.transitions.filter(region="triggers").order_by("id")
    assert [(row.target, row.actor) for row in rows] == [("paused", "user:ana"), ("watched", "user:bo")]
