"""Learning: begin the runs that are due, and have somebody attend each one that is under way. Floor 2."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import structlog
from django.db import connections
from django.utils import timezone

from ovd_saas.appcore import learning_process, learning_runs, rooms, runners
from ovd_saas.appcore.attendance import Attendance
from ovd_saas.domain import admission, executions, learning, status
from ovd_saas.domain import learning_runs as states
from ovd_saas.domain import processes as processing
from ovd_saas.engines.base import Engine
from ovd_saas.store import memory
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Execution, LearningRun, Process, Runner

log = structlog.get_logger()

BUSY_SECONDS = 1.0  # between two looks while a run is open
IDLE_SECONDS = 5.0  # likewise while none is: a notice tells of a new one
PAUSE_SECONDS = 5.0  # before a run is attended again after something that nobody foresaw
BREATH_SECONDS = 1.0  # before it is attended again otherwise, so that what always fails costs little
STOP_SECONDS = 2.0
UNDER_WAY = (states.RUNNING, states.EVALUATING)


class Learning:
    """One tick looks at all open runs. At most `most` learn or evaluate at once (default: one a processor)."""

    def __init__(self, engine: Engine, runner: Callable[[], Runner | None], *, most: int | None = None) -> None:
        self._engine = engine
        self._runner = runner  # the machine to learn on; None while none is up
        self._most = most or os.cpu_count() or 1
        self._attended: dict[UUID, Attendance] = {}
        self._seen: dict[UUID, tuple[str, ...]] = {}  # what each attendance knows of its run and application
        self._not_before: dict[UUID, float] = {}  # time.monotonic()
        self._lock = threading.Lock()
        self._is_busy = False

    def pause(self) -> float:
        """Seconds until it looks again by itself."""
        return BUSY_SECONDS if self._is_busy else IDLE_SECONDS

    def tick(self) -> bool:
        runner = self._runner()
        rows = LearningRun.objects.filter(status__in=states.OPEN)
        open_ = list(rows.select_related("application__organisation", "application__release").order_by("created_at"))
        self._is_busy = bool(open_)
        self._poke(open_)
        self._not_before = {run.pk: self._not_before[run.pk] for run in open_ if run.pk in self._not_before}
        if runner is None:
            return False
        self._stop_strays()
        promised = 0  # MB, to those that begin in this tick, or wait for it already
        for run in open_:
            if run.status in UNDER_WAY:
                self._take_over(run, runner)
            elif self._is_pointless(run):
                learning_runs.cancel_open(
                    application=run.application, by="appcore", now=timezone.now(),
                    reason="The current release of its application does not learn.",
                )  # fmt: skip
            elif self._may_begin(run):
                if runner.drained_at is not None:
                    learning_runs.wait(run, reason=runners.why_drained(runner))
                elif self._has_memory(run, runner, promised):
                    self._begin(run, runner)
                promised += self._needs_mb(run)
        return False

    def stop(self) -> None:
        """Afterwards nobody attends; the processes learn on, and the next AppCore finds them."""
        with self._lock:
            attended = list(self._attended.values())
        for attendance in attended:
            attendance.stop()
        until = time.monotonic() + STOP_SECONDS
        while self._attended and time.monotonic() < until:
            time.sleep(0.01)

    def _poke(self, open_: list[LearningRun]) -> None:
        """Whoever attends a run that changed looks at it now."""
        now = {run.pk: _seen(run) for run in open_}
        with self._lock:
            for id_, attendance in self._attended.items():
                if now.get(id_) != self._seen.get(id_):
                    self._seen[id_] = now.get(id_, ())
                    attendance.poke()

    def _stop_strays(self) -> None:
        """Processes whose run needs them no more."""
        rows = Process.objects.exclude(kind="serve").exclude(state=processing.ENDED)
        for process in rows.exclude(run__status__in=UNDER_WAY).exclude(run=None):
            learning_process.stop(self._engine, process.pk)

    def _take_over(self, run: LearningRun, runner: Runner) -> None:
        is_swapping = run.candidate_id is not None and run.candidate_id == run.application.upcoming_model_id
        is_halted = run.status == states.EVALUATING and run.application.status != status.ENABLED
        if is_swapping or is_halted or not self._is_free(run):
            return
        self._attend(learning_runs.take_lease(run.pk, now=timezone.now()), runner, is_taken_over=True)

    def _is_free(self, run: LearningRun) -> bool:
        """Whether nobody attends it, and whoever did last has left a moment ago."""
        return run.pk not in self._attended and self._not_before.get(run.pk, 0) <= time.monotonic()

    def _is_pointless(self, run: LearningRun) -> bool:
        """Whether it had not begun when a release came that only executes."""
        release = run.application.release
        return run.snapshot_id is None and release is not None and release.manifest.get("learn") is None

    def _may_begin(self, run: LearningRun) -> bool:
        application, now = run.application, timezone.now()
        if application.release is None or not self._is_free(run) or len(self._attended) >= self._most:
            return False
        if run.retry_at is not None and run.retry_at > now:
            return False
        on_wake = (application.release.manifest.get("learn") or {}).get("on_wake", learning.TOGETHER)
        if learning.why_not_begin(status=application.status, service=application.service, on_wake=on_wake):
            return False
        waiting = Execution.objects.filter(application=application, status=executions.QUEUED)
        return on_wake == learning.TOGETHER or not waiting.exists()

    def _needs_mb(self, run: LearningRun) -> int:
        release = run.release or run.application.release
        return int(learning_process.limits(release)["memory_mb"]) if release is not None else 0

    def _has_memory(self, run: LearningRun, runner: Runner, promised: int) -> bool:
        """Whether the machine has memory for it now, once others had theirs. Else it says so, and those who have been
        awake for nothing for a while make room; one that will never fit is cancelled."""
        needs, now = self._needs_mb(run), timezone.now()
        standing = memory.standing(runner, now=now)
        if standing is None:
            return True
        if admission.is_too_large(needs, standing.total_mb):
            reason = admission.why_too_large(needs, standing.total_mb)
            learning_runs.cancel_open(application=run.application, by="appcore", reason=reason, now=now)
            return False
        standing = replace(standing, held_mb=standing.held_mb + promised)
        why = admission.why_wait(needs, standing, application=None, since=None)
        if why is None:
            return True
        learning_runs.wait(run, reason=why)
        rooms.make(
            engine=self._engine, runner=runner, needs_mb=needs + promised, application=None, since=None, now=now,
            reason=f"It gave its memory to {run.application.address}, which learns.", settled=admission.SETTLED,
        )  # fmt: skip
        return False

    def _begin(self, run: LearningRun, runner: Runner) -> None:
        begun = learning_runs.begin(run, application=run.application, now=timezone.now())
        if begun is not None:
            self._attend(begun, runner)

    def _attend(self, run: LearningRun, runner: Runner, *, is_taken_over: bool = False) -> None:
        attendance = Attendance(run, engine=self._engine, runner=runner, is_taken_over=is_taken_over)
        with self._lock:
            self._attended[run.pk] = attendance
            self._seen[run.pk] = _seen(run)
        threading.Thread(target=self._see_through, args=(attendance,), name=f"run {run.number}", daemon=True).start()

    def _see_through(self, attendance: Attendance) -> None:
        pause = BREATH_SECONDS
        try:
            attendance.run()
        except Exception:
            log.exception("a learning run could not be attended", run=str(attendance.run_id))
            pause = PAUSE_SECONDS
        finally:
            self._not_before[attendance.run_id] = time.monotonic() + pause
            with self._lock:
                del self._attended[attendance.run_id]
                self._seen.pop(attendance.run_id, None)
            self._tell(attendance.run_id)

    def _tell(self, run_id: UUID) -> None:
        """There is room again, and this run may need somebody else."""
        try:
            for application_id in LearningRun.objects.filter(pk=run_id).values_list("application_id", flat=True):
                notify("learning", application=application_id, run=run_id)
        except Exception as error:
            log.info("nobody was told of the end of an attendance", error=str(error))  # the next tick finds it
        finally:
            connections.close_all()


def _seen(run: LearningRun) -> tuple[str, ...]:
    return (run.status, run.application.learning, run.application.status)
