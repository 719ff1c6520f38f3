"""Attendance: see one learning run through, from the process that learns to the verdict of the gate. Floor 2.

One thread a run. It may die at any moment: another one takes the lease, finds the process still learning, and asks it
for what it missed; or begins again from the last checkpoint.
"""

import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from ovd_saas.appcore import learning_process, learning_runs, loose_files, models, snapshots
from ovd_saas.appcore.dispatch_rows import hardware
from ovd_saas.appcore.learning_process import SLACK_SECONDS, Failed, LearningProcess, Lost, Over
from ovd_saas.appcore.task_events import Event
from ovd_saas.domain import gate, learning, status
from ovd_saas.domain import learning_runs as states
from ovd_saas.domain import processes as processing
from ovd_saas.engines.base import Engine
from ovd_saas.files import Stored
from ovd_saas.store.notices import notify
from ovd_saas.store.records import (
    Application,
    LearningEvent,
    LearningRun,
    ModelVersion,
    Process,
    Release,
    Runner,
    Snapshot,
)

RENEW_SECONDS = 3.0
TELL_SECONDS = 0.25  # what is told within this time is one transaction
LONGEST_LOG = 256 << 10  # characters
MOST_ROWS = 100_000  # of what one run tells, that are kept
KEPT = ("started", "progress", "metric", "log", "checkpoint")


@dataclass
class Told:
    """What a process told and nobody has noted yet."""

    events: list[Event] = field(default_factory=list)
    since: float = 0.0  # time.monotonic()


class Attendance:
    """`run()` returns when the run needs nobody any more; `poke` has it look at what people want now."""

    def __init__(self, run: LearningRun, *, engine: Engine, runner: Runner, is_taken_over: bool = False) -> None:
        self._run = run
        self._engine = engine
        self._runner = runner
        self._is_taken_over = is_taken_over
        self._stopping = threading.Event()
        self._poked = threading.Event()
        self._process: LearningProcess | None = None
        self._renewed = time.monotonic()
        self._rows: int | None = None  # of what the run told, when that is known
        self._yield_until: float | None = None  # time.monotonic() when a process that was asked to give way is stopped

    @property
    def run_id(self) -> UUID:
        return self._run.pk

    def poke(self) -> None:
        """People or the plan may want something else now; from any thread."""
        self._poked.set()
        process = self._process
        if process is not None:
            process.wake()

    def stop(self) -> None:
        """Let go: the process learns on, and whoever attends next finds it."""
        self._stopping.set()
        self.poke()

    def run(self) -> None:
        """Raises what nobody foresaw; the loop that started it logs that and tries again."""
        try:
            if self._run.status == states.RUNNING:
                self._learn()
            if self._run.status == states.EVALUATING:
                self._judge()
        except Over:
            return

    # learning

    def _learn(self) -> None:
        try:
            process = self._found() if self._is_taken_over else self._begun()
            self._process = process
            self._follow(process)
        except Lost as lost:
            if self._stopping.is_set():
                raise Over from None
            learning_runs.lose(self._run, reason=str(lost), counts=lost.counts, now=timezone.now())
        except Failed as failed:
            learning_runs.fail(
                self._run, code=failed.code, message=str(failed), traceback=failed.traceback, now=timezone.now(),
                may_retry=failed.code != snapshots.NothingToLearn.code,
            )  # fmt: skip
        except (Over, DatabaseError):
            self._leave()  # where nobody needs it any more, the loop stops it
            raise
        finally:
            self._part()
        self._refresh()

    def _begun(self) -> LearningProcess:
        """A process that was sent what it is to learn from."""
        run = self._run
        assert run.release is not None
        learn = run.release.manifest["learn"]
        process = LearningProcess.start(
            engine=self._engine, runner=self._runner, application=run.application, release=run.release,
            model=run.parent, run=run, kind="learn", look=self._look,
        )  # fmt: skip
        try:
            run.snapshot = run.snapshot or self._frozen(learn)  # while the process starts
            self._note_process(process)
            checkpoint = process.put("checkpoint", run.checkpoint) if run.checkpoint else None
            limit = learning_process.limits(run.release)["disk_mb"]
            named = process.put_samples("train", snapshots.train_lines(run.snapshot), limit_mb=limit)
            process.ask(
                "learn", train="train", checkpoint=checkpoint, files=named, seed=run.seed, timeout=learn["timeout"]
            )
            process.ask("follow", after=0)
        except BaseException:
            process.end()
            raise
        return process

    def _frozen(self, learn: dict[str, Any]) -> Snapshot:
        try:
            return snapshots.freeze(run=self._run, parent=self._run.parent, learn=learn, now=timezone.now())
        except snapshots.NothingToLearn as refusal:
            raise Failed(refusal.code, refusal.detail) from None
        except snapshots.Ended:
            raise Over from None

    def _found(self) -> LearningProcess:
        """The process that learns already, asked for what nobody noted. Raises Lost when there is none."""
        row = Process.objects.filter(pk=self._run.process).first() if self._run.process else None
        if row is None or row.state == processing.ENDED or not row.address or not self._run.followed:
            if row is not None:
                learning_process.stop(self._engine, row.pk)
            raise Lost("AppCore or its runner was restarted.", counts=False)
        process = LearningProcess(self._engine, row, look=self._look)
        process.ask("follow", after=self._run.followed)
        return process

    def _follow(self, process: LearningProcess) -> None:
        """Note what it tells until it has ended, or has given way."""
        assert self._run.release is not None
        limit = float(self._run.release.manifest["learn"]["timeout"])
        until = time.monotonic() + limit + SLACK_SECONDS
        told = Told()
        while True:
            for event in process.events(TELL_SECONDS if told.events else 1.0):
                told.since = told.since or time.monotonic()
                told.events.append(event)
                if event.is_last:
                    self._end(process, event, told)
                    return
            saved = [event for event in told.events if event.kind == "checkpoint"]
            if saved:  # of several the last one counts; the process keeps no older ones
                self._note(told, checkpoint=self._fetch(process, saved[-1].body["file"]).digest)
            is_first = any(event.seq == 1 for event in told.events)
            if told.events and (is_first or time.monotonic() - told.since >= TELL_SECONDS):
                self._note(told)
            self._look()
            if self._yield_until is not None and time.monotonic() > self._yield_until:
                self._note(told)
                self._pause("It gave way to a user before it had saved a checkpoint.")
                return
            if time.monotonic() > until:
                raise Failed("timeout", f"It took longer than its time limit of {limit:g} s and was stopped.")

    def _end(self, process: LearningProcess, event: Event, told: Told) -> None:
        """Its last word, and what it leaves, in one piece: dying before that, somebody else hears it again."""
        if event.kind == "failed":
            self._note(told)
            raise learning_process.failed(event)
        if event.kind == "yielded":
            file = event.body["file"]
            self._note(told, checkpoint=self._fetch(process, file).digest if file else None)
            if self._region() != learning.YIELDING:
                raise Failed("output", "It gave way although nobody had asked it to.")
            self._pause("It saved a checkpoint and gave way." if file else "It gave way.")
            return
        if event.body["file"] is None:
            raise Failed("output", "It ended without a model.")
        stored = self._fetch(process, event.body["file"])
        with transaction.atomic():
            Application.objects.select_for_update().get(pk=self._run.application_id)  # always before its run
            self._note(told)
            kept = learning_runs.keep_candidate(
                self._run, stored=stored, metrics=event.body["metrics"], seconds=event.body["seconds"],
                now=timezone.now(),
            )  # fmt: skip
            if kept is None:
                raise Over

    def _fetch(self, process: LearningProcess, file: str) -> Stored:
        assert self._run.release is not None
        return process.fetch(file, limit_mb=learning_process.limits(self._run.release)["disk_mb"])

    def _region(self) -> str:
        return str(Application.objects.values_list("learning", flat=True).get(pk=self._run.application_id))

    def _pause(self, reason: str) -> None:
        if not learning_runs.pause(self._run, reason=reason, now=timezone.now()):
            raise Over

    # judging

    def _judge(self) -> None:
        run, now = self._run, timezone.now
        assert run.release is not None and run.candidate is not None
        for stale in Process.objects.filter(run=run).exclude(state=processing.ENDED):
            learning_process.stop(self._engine, stale.pk)  # of an earlier attendance
        application = Application.objects.select_related("model", "release").get(pk=run.application_id)
        try:
            verdict = self._verdict(run.release, run.candidate, application.model)
        except Failed as failed:
            learning_runs.fail(run, code=failed.code, message=str(failed), traceback=failed.traceback, now=now())
        except Lost as lost:
            if lost.counts and not self._stopping.is_set():
                learning_runs.fail(run, code="lost", message=f"It could not be judged. {lost}", now=now())
        else:
            self._settle(application, run.candidate, verdict)

    def _verdict(self, release: Release, candidate: ModelVersion, active: ModelVersion | None) -> gate.Verdict:
        """Raises Failed when the candidate or the active version cannot be evaluated. While there is no active version,
        it is compared with what the application does without a model, if that can be evaluated."""
        assert self._run.snapshot is not None
        rule = gate.rule_of(release.manifest["gate"])
        name = f"version {active.number}" if active else "no model"
        if not self._run.snapshot.holdout:  # nothing is there to judge by: no author's code has to expect that
            unseen = dataclasses.replace(rule, max_seconds=0)
            nothing = gate.Assessment({}, samples=0)
            return gate.judge(unseen, candidate=nothing, active=None, size=candidate.size, active_name=name)
        judged = self._assessed(release, candidate, f"Version {candidate.number}")
        ModelVersion.objects.filter(pk=candidate.pk).update(metrics=dict(judged.metrics))
        try:
            before: gate.Assessment | None = self._assessed(release, active, name.capitalize())
        except (Failed, Lost) as error:
            if active is not None or not getattr(error, "counts", True):
                raise
            before = None
        verdict = gate.judge(rule, candidate=judged, active=before, size=candidate.size, active_name=name)
        return dataclasses.replace(verdict, document=verdict.document | {"compared": gate.compared(judged, before)})

    def _assessed(self, release: Release, model: ModelVersion | None, name: str) -> gate.Assessment:
        run = self._run
        assert run.snapshot is not None
        try:
            return learning_process.assess(
                engine=self._engine, runner=self._runner, application=run.application, release=release, model=model,
                lines=snapshots.holdout_lines(run.snapshot), samples=run.snapshot.holdout, seed=run.seed, run=run,
                look=self._look, on_start=self._note_process,
                on_progress=lambda body: self._tell_judging(body, name),
            )  # fmt: skip
        except Failed as failed:
            raise Failed(failed.code, f"{name} could not be evaluated: {failed}", failed.traceback) from None
        except Lost as lost:
            raise Lost(f"{name}: {lost}", counts=lost.counts) from None
        finally:
            self._process = None

    def _tell_judging(self, body: Mapping[str, Any], name: str) -> None:
        self._write(progress={**body, "message": f"{name}: {body['message'] or 'evaluating'}"})
        notify("learning", application=self._run.application_id, run=self._run.pk)

    def _settle(self, application: Application, candidate: ModelVersion, verdict: gate.Verdict) -> None:
        run, now = self._run, timezone.now()
        assert run.release is not None
        if not verdict.passed:
            learning_runs.reject(run, reason=verdict.sentence, now=now, gate=verdict.document)
        elif run.release.manifest["gate"].get("approve") == "manual":
            reason = f"{verdict.sentence} A person has to approve it."
            learning_runs.ask(run, reason=reason, now=now, gate=verdict.document)
        elif learning_runs.note_gate(run, verdict.document):
            try:
                models.promote(
                    application=application, model=candidate, by="gate", reason=verdict.sentence, now=now, run=run
                )
            except models.NotPromotable as refusal:
                learning_runs.reject(run, reason=refusal.detail, now=now, gate=verdict.document)

    # the process, and what people want meanwhile

    def _note_process(self, process: LearningProcess) -> None:
        """Who works for the run, and on what."""
        run = self._run
        assert run.release is not None
        self._process = process
        run.digests = {
            **run.digests,
            "release": run.release.digest,
            "environment": run.release.environment,
            "snapshot": run.snapshot.digest if run.snapshot else None,
            "parent": run.parent.digest if run.parent else None,
        }
        self._write(process=process.id, digests=run.digests, hardware=hardware(self._runner))

    def _part(self) -> None:
        """When the platform stops, the process learns on; else it has done its work."""
        if self._stopping.is_set():
            self._leave()
        elif self._process is not None:
            process, self._process = self._process, None
            process.end()

    def _leave(self) -> None:
        """The process learns on, and whoever attends next hears what it tells meanwhile."""
        process, self._process = self._process, None
        if process is not None:
            process.line.close()

    def _look(self) -> None:
        """Keep the lease, and obey. Raises Over."""
        if self._stopping.is_set():
            raise Over
        if not self._poked.is_set() and time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        self._poked.clear()
        self._renewed = time.monotonic()
        wanted = learning_runs.keep_lease(self._run, now=timezone.now())
        if wanted is None or wanted.run != self._run.status:
            raise Over
        if wanted.run == states.EVALUATING and wanted.application != status.ENABLED:
            raise Over  # it is judged when somebody enables its application
        if wanted.region == learning.YIELDING and self._yield_until is None and self._process is not None:
            assert self._run.release is not None
            within = float(self._run.release.manifest["learn"].get("yield_within", 5))
            self._yield_until = time.monotonic() + within
            self._process.ask("yield")

    # notes

    @transaction.atomic
    def _note(self, told: Told, *, checkpoint: str | None = None) -> None:
        """What was told becomes rows, once. Raises Over."""
        events, told.events, told.since = told.events, [], 0.0
        if not events:
            return
        now = timezone.now()
        values: dict[str, Any] = {"followed": events[-1].seq}
        if checkpoint is not None:
            values["checkpoint"] = checkpoint
            loose_files.let_go([self._run.checkpoint] if self._run.checkpoint else [], now=now)
        is_logged = len(self._run.log) < LONGEST_LOG
        text = "".join(event.body["text"] for event in events if event.kind == "log")
        if text and is_logged:
            values["log"] = (self._run.log + text)[:LONGEST_LOG]
        last_progress = next((event for event in reversed(events) if event.kind == "progress"), None)
        if last_progress is not None:
            values["progress"] = last_progress.body
        self._write(**values)
        for name in values.keys() & {"log", "checkpoint"}:
            setattr(self._run, name, values[name])
        kept = [
            event
            for event in events
            if event.kind in KEPT
            and (event.kind != "progress" or event is last_progress)
            and (event.kind != "log" or is_logged)
        ]
        self._keep(kept, now)
        notify("learning", application=self._run.application_id, run=self._run.pk)

    def _keep(self, events: list[Event], now: datetime) -> None:
        """As rows, of the first MOST_ROWS."""
        if self._rows is None:
            self._rows = LearningEvent.objects.filter(run=self._run).count()
        events = events[: max(0, MOST_ROWS - self._rows)]
        LearningEvent.objects.bulk_create(_row(self._run, event, now) for event in events)
        self._rows += len(events)

    def _write(self, **values: Any) -> None:
        """Columns of the run, while the lease is ours. Raises Over."""
        held = LearningRun.objects.filter(pk=self._run.pk, lease=self._run.lease)
        if not held.filter(status=self._run.status).update(**values):
            raise Over

    def _refresh(self) -> None:
        rows = LearningRun.objects.select_related(
            "application__organisation", "release", "snapshot", "parent", "candidate"
        )
        fresh = rows.get(pk=self._run.pk)
        if fresh.lease != self._run.lease:
            raise Over
        self._run = fresh


def _row(run: LearningRun, event: Event, now: datetime) -> LearningEvent:
    body = {"size": event.body["size"]} if event.kind == "checkpoint" else event.body
    return LearningEvent(run=run, kind=event.kind, body=body, at=now)
