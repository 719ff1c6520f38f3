"""Living: for every application that is not simply asleep, do what the plan says. Floor 2."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connections, transaction
from django.utils import timezone

from ovd_saas.appcore import editions, habits, learning_runs, models, processes, releases, rooms, runners, supplies
from ovd_saas.domain import actions, executions, health, learning, service
from ovd_saas.domain.demand import look_at
from ovd_saas.domain.plan import next_event, plan
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing
from ovd_saas.store import facts, memory, transitions
from ovd_saas.store.facts import Facts
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Execution, ModelVersion, Release, Runner

log = structlog.get_logger()
MOST_REMEMBERED = 10_000  # processes
ROUNDS = 10  # of planning within a tick; each starts from what is then so


class Living:
    """One tick looks at all restless applications."""

    def __init__(self, engine: Engine, runner: Callable[[], Runner | None]) -> None:
        self._engine = engine
        self._runner = runner  # the machine to start on; None while none is up
        self._supplying: set[str] = set()  # editions that are brought to the machine right now
        self._used: dict[str, datetime] = {}  # when processes beside others were last seen to execute

    def tick(self) -> bool:
        ids = facts.restless()
        for _ in range(ROUNDS):
            busy = [found.application.pk for found in self._facts(ids) if self._look_after(found)]
            if not busy:
                return False
            ids = busy
        return True

    def _facts(self, ids: list[int]) -> list[Facts]:
        runner = self._runner()
        machine_mb = memory.total_mb(runner) if runner is not None else None
        found = (
            facts.of(ids, runner_up=runner is not None, machine_mb=machine_mb, drained=runners.why_drained(runner))
            if ids
            else []
        )
        return [self._remembered(one) for one in found]

    def _remembered(self, found: Facts) -> Facts:
        """Which of several processes are in use; what is seen now is but the latest."""
        rows = found.observed.processes
        if len(rows) < 2:
            return found
        for row in rows:
            if row.used_at is not None:
                self._used[row.id] = max(row.used_at, self._used.get(row.id, row.used_at))
        while len(self._used) > MOST_REMEMBERED:
            del self._used[next(iter(self._used))]
        seen = tuple(replace(row, used_at=self._used.get(row.id)) for row in rows)
        return replace(found, observed=replace(found.observed, processes=seen))

    def _look_after(self, found: Facts) -> bool:
        """Whatever is wrong with one application, the others live on."""
        try:
            return self._live(found)
        except base.RunnerDown as error:
            log.warning("the runner does not answer", application=found.application.address, error=str(error))
        except (OperationalError, InterfaceError):
            raise  # the database is nobody's own: the loop connects anew
        except Exception:
            log.exception("an application could not be looked after", application=found.application.address)
        return False

    def _live(self, found: Facts) -> bool:
        now = timezone.now()
        found, planned = self._planned(found, now)
        done = False
        for action in planned:
            if self._do(found, action, now):
                done = True
            elif isinstance(action, actions.Move) and action.region == actions.SERVICE:
                return False  # somebody was faster: this plan is for what was
        if not done:
            self._note(found, planned, now)
        return done

    def _planned(self, found: Facts, now: datetime) -> tuple[Facts, tuple[actions.Action, ...]]:
        """What to do; the machine's memory is looked at where something is to be started."""
        planned, runner = plan(found.desired, found.observed, now=now), self._runner()
        if runner is None or not any(isinstance(action, actions.StartProcess) for action in planned):
            return found, planned
        standing = memory.standing(runner, now=now)
        if standing is None:
            return found, planned
        found = replace(found, observed=replace(found.observed, memory=standing))
        return found, plan(found.desired, found.observed, now=now)

    def _do(self, found: Facts, action: actions.Action, now: datetime) -> bool:
        """True if it changed something, so that planning again is worth it."""
        application = found.application
        match action:
            case actions.StartProcess(edition=id_):
                return self._start(application, id_, now)
            case actions.MakeRoom():
                self._make_room(application, action, now)
                return False  # when those who give have ended, that will be told
            case actions.DrainProcess(process=id_, reason=reason):
                processes.drain(engine=self._engine, process_id=UUID(id_), reason=reason, now=now)
                return True
            case actions.KillProcess(process=id_):
                self._engine.stop(id_, 0)
                return False  # its exit will be told
            case actions.ForgetProcess(process=id_, reason=reason):
                processes.end(process_id=UUID(id_), reason=reason, now=now)
                return True
            case actions.Move(region=actions.LEARNING, event=learning.CANCEL, reason=reason):
                return learning_runs.cancel_open(application=application, by="appcore", reason=reason, now=now)
            case actions.Move(region=region, event=event, reason=reason):
                return self._move(found, region, event, reason, now)
            case actions.FailQueued(code=code, reason=reason):
                return self._fail_queued(application, code, reason, now)

    def _start(self, application: Application, edition: str, now: datetime) -> bool:
        runner = self._runner()
        release_id, model_id = facts.parts(edition)
        releases_ = {row.pk: row for row in (application.release, application.upcoming) if row}
        models_ = {row.pk: row for row in (application.model, application.upcoming_model) if row}
        release, model = releases_[release_id], None if model_id is None else models_[model_id]
        if runner is None or edition in self._supplying:
            return False
        try:
            started = processes.start(
                engine=self._engine, application=application, release=release, model=model, runner=runner, now=now
            )
        except (base.NotPrepared, base.NoModel) as lacking:
            self._supplying.add(edition)
            supply = threading.Thread(target=self._supply, args=(edition, release, model, lacking), daemon=True)
            supply.start()
            return False
        except processes.NoRoom:
            return False  # somebody was faster; the next plan sees it
        except processes.TooLarge as refusal:
            processes.refuse(release=release, model=model, reason=str(refusal), now=now)
            return True
        return started is not None

    def _make_room(self, application: Application, asked: actions.MakeRoom, now: datetime) -> None:
        runner = self._runner()
        if runner is None or not asked.may_take:
            return
        whom = "which somebody waits for" if asked.since is not None else "which needs more"
        rooms.make(
            engine=self._engine, runner=runner, needs_mb=asked.needs_mb, application=application.pk, since=asked.since,
            reason=f"It gave its memory to {application.address}, {whom}.", now=now,
        )  # fmt: skip

    def _supply(self, edition: str, release: Release, model: ModelVersion | None, lacking: base.EngineError) -> None:
        """In a thread of its own: it may take minutes, and other applications live on."""
        try:
            if model is not None and isinstance(lacking, base.NoModel):
                supplies.provide(engine=self._engine, model=model)
            else:
                supplies.prepare(engine=self._engine, release=release)
        except base.RunnerDown as error:
            log.warning("the runner went away while it was supplied", error=str(error))
        except (base.EngineError, Missing) as error:
            processes.refuse(release=release, model=model, reason=str(error), now=timezone.now())
        finally:
            self._supplying.discard(edition)
            notify("application", id=release.application_id)
            connections.close_all()

    def _move(self, found: Facts, region: str, event: str, reason: str, now: datetime) -> bool:
        application = found.application
        target = transitions.REGIONS[region].target(getattr(application, region), event)
        also: dict[str, Any] = {}
        if region == actions.SERVICE and target == service.ASLEEP:
            also["sleep_asked_at"] = None
            also["wakes_at"] = look_at(found.desired, found.observed, now=now)
        if target in (service.AWAKE, service.DRAINING, health.FAULTY):
            also["wake_asked_at"] = None
        if region == actions.HEALTH and event == health.FAULT and application.start_failures:
            reason = f"{reason} {application.reason}"
        if event == service.SLEEP:
            reason = application.reason  # why it was drained is why it sleeps
        if event == service.FAIL and application.retry_at and application.retry_at > now:
            reason = application.reason  # what the failed start said
        cause = self._waker(application) if event == service.WAKE else ""
        with transaction.atomic():
            moved = transitions.move(
                application.pk,
                region,
                event,
                source=getattr(application, region),
                reason=reason,
                now=now,
                cause=cause,
                **also,
            )
            if moved == service.ASLEEP:
                self._take_over(application.pk, now)
        return moved is not None

    def _take_over(self, application_id: int, now: datetime) -> None:
        """Nobody is served: what is upcoming need not wait for a process. In the transaction that says so, as nobody
        would look at it again."""
        application = editions.locked(application_id)
        models.take_over(application=application, now=now)
        if application.upcoming is not None:
            releases.use(release=application.upcoming, by="appcore", now=now)

    def _waker(self, application: Application) -> str:
        first = Execution.objects.filter(application=application, status=executions.QUEUED).order_by("created_at")
        id_ = first.values_list("pk", flat=True).first()
        return f"execution:{id_}" if id_ else ""

    def _fail_queued(self, application: Application, code: str, reason: str, now: datetime) -> bool:
        waiting = Execution.objects.filter(application=application, status=executions.QUEUED)
        error = {"code": code, "message": reason}
        ids = list(waiting.values_list("pk", flat=True))
        for id_ in ids:
            transitions.execution(id_, executions.FAIL, now=now, source=executions.QUEUED, error=error)
        return bool(ids)

    def _note(self, found: Facts, planned: tuple[actions.Action, ...], now: datetime) -> None:
        """What is next, what it waits for, and when its hours and habits want it looked at again."""
        application, changed = found.application, self._waits(planned)
        noted = habits.looked_up(found, now=now)
        if noted is not None:
            changed["foreseen"] = noted
            found = replace(found, observed=replace(found.observed, foreseen=facts.expected(noted)))
        outlook = next_event(found.desired, found.observed, now=now)
        changed |= {"next_what": outlook.what, "next_at": outlook.at}
        changed["wakes_at"] = look_at(found.desired, found.observed, now=now)
        changed = {name: value for name, value in changed.items() if getattr(application, name) != value}
        if changed:
            Application.objects.filter(pk=application.pk).update(**changed)
        if changed.keys() & {"next_what", "next_at"}:
            notify("outlook", application=application.pk)

    def _waits(self, planned: tuple[actions.Action, ...]) -> dict[str, Any]:
        """For how much memory it waits, and since when somebody waits for it."""
        for action in planned:
            if isinstance(action, actions.MakeRoom) and action.since is not None:
                return {"waits_since": action.since, "waits_mb": action.needs_mb}
        return {"waits_since": None, "waits_mb": 0}
