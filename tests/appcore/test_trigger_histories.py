"""Random histories of data, notices, people, time and crashes: the runs are those that the rule says, and each batch is
in exactly one step or visibly pending.

The looks are the real ones on a real database; crashes come before any SQL statement, as an exception here and as a
SIGKILL in the test of a child process.
"""

import os
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ovd_saas.appcore.refusals import Refusal
from ovd_saas.domain import learning_runs as states
from ovd_saas.store.queries import triggers as queries
from ovd_saas.store.records import Batch, LearningRun, TriggerEvaluation
from trigger_model import Model
from trigger_stage import START, Killed, Stage, die, killed_at

EVALUATED = ("due", "waits", "skipped")


class Numbers(NamedTuple):
    """Of the manifest; seconds."""

    min_samples: int
    quiet: int
    max_wait: int
    every: int
    period: int  # of the schedule; 0: none


MANIFESTS = (
    Numbers(1, 0, 0, 0, 0),
    Numbers(10, 7, 0, 0, 0),
    Numbers(25, 20, 40, 0, 0),
    Numbers(1, 7, 15, 0, 60),
    Numbers(10, 20, 15, 30, 0),
    Numbers(25, 0, 0, 30, 300),
    Numbers(0, 0, 0, 30, 60),
)


class Histories(RuleBasedStateMachine):
    """One application that learns; the model beside it hears the same."""

    numbers = Numbers(1, 0, 0, 0, 0)

    def __init__(self) -> None:
        super().__init__()
        self.around = transaction.atomic()
        self.around.__enter__()
        schedule = {0: "", 60: "* * * * *", 300: "*/5 * * * *"}[self.numbers.period]
        self.stage = Stage(
            min_samples=self.numbers.min_samples, quiet=self.numbers.quiet, max_wait=self.numbers.max_wait,
            at_most_every=self.numbers.every, schedule=schedule,
        )  # fmt: skip
        self.model = Model(*self.numbers)
        self.stage.settle()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.around.__exit__(None, None, None)

    # the world

    @rule(samples=st.sampled_from([5, 5, 10, 30]), tells=st.booleans(), crash=st.integers(0, 60))
    def data_arrives(self, samples: int, tells: bool, crash: int) -> None:
        """`tells`: the loop hears of it, and looks at that application; it may die while it does."""
        self.stage.batch(samples)
        self.model.batch(samples)
        if tells and crash:
            self.look_and_die(crash)
        self.stage.settle()

    @rule(pause=st.sampled_from([2, 6]), count=st.integers(3, 8))
    def data_streams_in(self, pause: int, count: int) -> None:
        """Never quiet for long: only max_wait ends it."""
        for _ in range(count):
            self.stage.batch(10)
            self.model.batch(10)
            self.stage.pass_time(pause)
            self.model.pass_time(pause)

    @rule(crash=st.integers(0, 60))
    def somebody_notifies(self, crash: int) -> None:
        """What was not acknowledged is told again."""
        try:
            with killed_at(crash, die):
                self.stage.notify()
        except Killed:
            event("died in a notice")
            self.stage.settle()
            self.stage.notify()
        self.model.notice()

    @rule(seconds=st.sampled_from([1, 3, 7, 15, 31, 61, 200]))
    def time_passes(self, seconds: int) -> None:
        self.stage.pass_time(seconds)
        self.model.pass_time(seconds)

    @rule(which=st.integers(0, 9))
    def a_batch_is_taken_down(self, which: int) -> None:
        if self.model.deliveries:
            number = which % len(self.model.deliveries) + 1
            self.stage.take_down(number)
            self.stage.look()  # intake tells of it
            self.model.take_down(number)

    @rule()
    def a_person_asks(self) -> None:
        with suppress(Refusal):
            self.stage.ask()
        self.model.ask()

    @rule(action=st.sampled_from(["suspend", "enable", "enable"]))
    def a_person_acts(self, action: str) -> None:
        with suppress(Refusal):
            self.stage.act(action)
            self.stage.settle()
            self.model.enable(action == "enable")

    # learning

    @precondition(lambda self: self.model.open is not None and self.model.open.state == "queued")
    @rule()
    def the_run_begins(self) -> None:
        if self.model.is_enabled:
            self.stage.begin()
            self.model.begin()
            self.stage.settle()

    @precondition(lambda self: self.model.open is not None)
    @rule(how=st.sampled_from(["reject", "reject", "fail", "cancel"]), crash=st.integers(0, 60))
    def the_run_ends(self, how: str, crash: int) -> None:
        is_queued = self.model.open is not None and self.model.open.state == "queued"
        self.stage.end("cancel" if is_queued else how)
        self.model.end(came_to_something=how == "reject" and not is_queued)
        if crash:
            self.look_and_die(crash)
        self.stage.settle()

    # dying

    def look_and_die(self, statement: int) -> None:
        with suppress(Killed), killed_at(statement, die):
            self.stage.look()
            return
        event("died in a look")

    @rule(statement=st.integers(1, 60), seconds=st.sampled_from([0, 5, 70]))
    def appcore_is_down_for_a_while(self, statement: int, seconds: int) -> None:
        """It dies in a look, time passes without anybody looking, and the next one finds what there is."""
        self.look_and_die(statement)
        self.stage.now += timedelta(seconds=seconds)
        self.stage.settle()
        self.model.sleep(seconds)

    # what must always hold

    @invariant()
    def the_runs_are_those_that_the_rule_says(self) -> None:
        found = [(run.number, moment(run), phase(run)) for run in self.stage.runs]
        assert found == [(run.number, run.at, run.state) for run in self.model.runs]

    @invariant()
    def each_batch_is_in_one_step_or_visibly_pending(self) -> None:
        rows = Batch.objects.filter(application=self.stage.id).order_by("number")
        found = list(rows.values_list("step__number", flat=True))
        assert found == [one.step for one in self.model.deliveries]

    @invariant()
    def what_is_pending_is_said_to_be(self) -> None:
        """Whatever no run has covered is in the last word about data, unless that made the run that is open."""
        new = [one for one in self.model.deliveries[self.model.used :] if not one.is_down]
        if new:
            last = self.stage.evaluations("data")[-1]
            assert last.decision in ("waits", "skipped") and last.cause, last.reason
        for row in self.stage.evaluations():
            assert row.decision in EVALUATED and row.reason
            assert (row.run is None) == (row.decision != "due")

    @invariant()
    def every_run_has_its_evaluation(self) -> None:
        due = TriggerEvaluation.objects.filter(application=self.stage.id, decision="due")
        assert set(due.values_list("run", flat=True)) == {run.pk for run in self.stage.runs}

    @invariant()
    def nothing_is_left_to_be_found(self) -> None:
        assert queries.candidates(self.stage.now) == []


def moment(run: LearningRun) -> int:
    return round((run.created_at - START).total_seconds())


def phase(run: LearningRun) -> str:
    if run.status == states.QUEUED:
        return "queued"
    return "running" if run.status in states.OPEN else "over"


@pytest.mark.django_db
@pytest.mark.timeout(300)
@pytest.mark.parametrize("numbers", MANIFESTS, ids=str)
def test_random_histories_make_the_runs_that_the_rule_says(numbers: Numbers) -> None:
    chosen = settings(
        max_examples=int(os.environ.get("OVD_HISTORIES", "8")),
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("Histories", (Histories,), {"numbers": numbers}), settings=chosen)
