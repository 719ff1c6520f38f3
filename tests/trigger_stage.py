"""An application that learns, a frozen clock, and what the loops would do, for tests of triggers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

import makers
from ovd_saas.appcore import applications, learning_runs, snapshots, triggers
from ovd_saas.domain import learning_runs as states
from ovd_saas.store import transitions
from ovd_saas.store.queries import triggers as queries
from ovd_saas.store.records import Application, Batch, LearningRun, TriggerEvaluation

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOOKS = 50  # more than this without rest is a loop that never rests


class Killed(BaseException):
    """AppCore dies here."""


@contextmanager
def killed_at(statement: int, die: Callable[[], None]) -> Iterator[None]:
    """`die` is called before that SQL statement (1, 2, 3 …) within the block. The end of a savepoint does not count: in
    a test's own transaction that is what a commit becomes, and a commit happens or does not."""
    count = 0

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal count
        count += not sql.startswith("RELEASE")
        if count == statement:
            die()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield


def die() -> None:
    raise Killed


class Stage:
    """`now` stands still until `pass_time`; `settle` is what the triggering loop does when nobody tells it anything."""

    def __init__(self, **learn: Any) -> None:
        self.now = START
        drift = learn.pop("drift", None)
        made = makers.application(
            learn={"data": "all", "holdout": "last", "holdout_fraction": 0.2, **learn}, gate={"metric": "mae"},
            drift=drift,
        )  # fmt: skip
        self.id = made.pk

    @property
    def application(self) -> Application:
        return Application.objects.select_related("organisation", "release", "lookout").get(pk=self.id)

    @property
    def runs(self) -> list[LearningRun]:
        return list(LearningRun.objects.filter(application=self.id).order_by("number"))

    @property
    def run(self) -> LearningRun | None:
        return LearningRun.objects.filter(application=self.id, status__in=states.OPEN).first()

    def evaluations(self, kind: str | None = None) -> list[TriggerEvaluation]:
        rows = TriggerEvaluation.objects.filter(application=self.id).order_by("id")
        return list(rows.filter(kind=kind) if kind else rows)

    # what happens outside

    def batch(self, samples: int = 10) -> Batch:
        return makers.delivered(self.application, samples, self.now)

    def take_down(self, number: int) -> None:
        Batch.objects.filter(application=self.id, number=number).update(taken_down_at=self.now)

    def notify(self, source: str | None = None, note: str = "", by: str = "user:ana") -> TriggerEvaluation:
        return triggers.notice(application=self.application, by=by, note=note, source=source, now=self.now)

    def ask(self) -> LearningRun:
        return learning_runs.submit(
            application=self.application, trigger="manual", cause="user:ana", reason="Ana asked for it.",
            by="user:ana", now=self.now,
        )  # fmt: skip

    def act(self, action: str) -> None:
        applications.act(application=self.application, action=action, by="user:ana", now=self.now)

    # what AppCore does

    def look(self) -> LearningRun | None:
        return triggers.look(self.id, self.now)

    def settle(self) -> None:
        """Whatever is there to be found is found by asking the database."""
        for _ in range(LOOKS):
            found = queries.candidates(self.now)
            if not found:
                return
            for id_ in found:
                triggers.look(id_, self.now)
        raise AssertionError(f"it never rests: {TriggerEvaluation.objects.order_by('-id').values()[:5]}")

    def pass_time(self, seconds: float) -> None:
        """The loop wakes whenever it said that it would."""
        until = self.now + timedelta(seconds=seconds)
        self.settle()
        while (at := queries.earliest()) is not None and at <= until:
            assert at > self.now, "it was to be looked at again in the past"
            self.now = at
            self.settle()
        self.now = until
        self.settle()

    def begin(self) -> LearningRun:
        """The learning loop begins the run that is due, and freezes what there is."""
        due = self.run
        assert due is not None and due.status == states.QUEUED
        application = self.application
        assert application.release is not None
        run = learning_runs.begin(due, application=application, now=self.now)
        assert run is not None
        learn = application.release.manifest["learn"]
        try:
            snapshots.freeze(run=run, parent=None, learn=learn, now=self.now)
        except snapshots.NothingToLearn as refusal:
            learning_runs.fail(run, code=refusal.code, message=refusal.detail, now=self.now, may_retry=False)
        run.refresh_from_db()
        return run

    def end(self, how: str = "reject") -> None:
        """`reject`: it learned, and the gate said no; `fail`, `cancel`."""
        run = self.run
        assert run is not None
        if how == "cancel":
            learning_runs.cancel(run_id=run.pk, by="user:ana", now=self.now)
        elif how == "fail":
            learning_runs.fail(run, code="crashed", message="It crashed.", now=self.now, may_retry=False)
        else:
            for event in (states.EVALUATE, states.REJECT):
                assert transitions.learning_run(run.pk, event, reason="It is worse.", now=self.now)

    def learn(self, how: str = "reject") -> None:
        if self.begin().status in states.OPEN:
            self.end(how)
