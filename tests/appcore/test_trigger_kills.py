"""Triggers under kill -9: a process that looks is killed before any of its SQL statements, and nothing is lost or made
twice."""

import os
import signal
from collections.abc import Callable

import pytest
from django.db import connections

from ovd_saas.store.records import Application, Batch, LearningRun, TriggerEvaluation
from trigger_stage import Stage, killed_at

pytestmark = pytest.mark.timeout(300)


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_child(statement: int, work: Callable[[], object]) -> bool:
    """Does `work` in a child process that is killed before that SQL statement; False: the work was over before."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            with killed_at(statement, kill_me):
                work()
        finally:
            os._exit(1 if statement else 0)
    _, how = os.waitpid(child, 0)
    return os.WIFSIGNALED(how) and os.WTERMSIG(how) == signal.SIGKILL


def forget(stage: Stage) -> None:
    """As it was before anything arrived, but for the numbers of what comes."""
    TriggerEvaluation.objects.all().delete()
    Batch.objects.all().update(step=None)
    LearningRun.objects.all().delete()
    Batch.objects.all().delete()
    Application.objects.filter(pk=stage.id).update(learning="resting", noticed_at=None, notice=None)
    stage.application.lookout.delete()


def test_a_killed_look_is_made_up_for_by_the_next_one(transactional_db: None) -> None:
    stage = Stage(min_samples=15)
    statement, was_killed = 0, True
    while was_killed:
        statement += 1
        stage.settle()
        stage.batch(5)
        stage.batch(10)
        was_killed = killed_child(statement, stage.settle)
        assert len(stage.runs) in (0, 1), "a run is there or not, and never twice"
        stage.settle()
        (run,) = stage.runs
        due = stage.evaluations("data")[-1]
        assert (due.decision, due.run, run.cause) == ("due", run, "batches 1-2"), f"killed at statement {statement}"
        stage.begin()
        assert set(Batch.objects.values_list("step", flat=True)) == {run.pk}
        forget(stage)
    assert statement > 10


def test_a_killed_notice_is_whole_or_not_there(transactional_db: None) -> None:
    stage = Stage(min_samples=15)
    statement, was_killed = 0, True
    while was_killed:
        statement += 1
        stage.settle()
        was_killed = killed_child(statement, stage.notify)
        was_told = bool(stage.runs)
        assert was_told != was_killed, f"killed at statement {statement}: a commit comes after the last one"
        assert stage.application.noticed_at is None
        stage.settle()
        assert len(stage.runs) == int(was_told)
        forget(stage)
    assert statement > 10
