"""Living: for every application that is not simply asleep, do what the plan says. Floor 2."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connections, transaction
from django.utils import timezone

from ovd_saas.appcore import editions, learning_runs, models, processes, releases, supplies
from ovd_saas.domain import actions, executions, health, learning, service
from ovd_saas.domain.plan import next_event, plan
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing
from ovd_saas.store import facts, transitions
from ovd_saas.store.facts import Facts
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Application, Execution, ModelVersion, Release, Runner

log = structlog.get_logger()
ROUNDS = 10  # of planning within a tick; each starts from what is then so


class Living:
    """One tick looks at all restless applications."""

    def __init__(self, engine: Engine, runner: Callable[[], Runner | None]) -> None:
        self._engine = engine
        self._runner = runner  # the machine to start on; None while none is up
        self._supplying: set[str] = set()  # editions that are brought to the machine right now

    def tick(self) -> bool:
        ids = facts.restless()
        for _ in range(ROUNDS):
            busy = [found.application.pk for found in self._facts(ids) if self._look_after(found)]
            if not busy:
                return False
            ids = busy
        return True

    def _facts(self, ids: list[int]) -> list[Facts]:
        return facts.of(ids, runner_up=self._runner() is not None) if ids else []

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
        planned = plan(found.desired, found.observed, now=now)
        done = False
        for action in planned:
            done = self._do(found.application, action, now) or done
        if not done:
            self._say_what_is_next(found, now)
        return done

    def _do(self, application: Application, action: actions.Action, now: datetime) -> bool:
        """True if it changed something, so that planning again is worth it."""
        match action:
            case actions.StartProcess(edition=id_):
                return self._start(application, id_, now)
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
                return self._move(application, region, event, reason, now)
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
        return started is not None

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

    def _move(self, application: Application, region: str, event: str, reason: str, now: datetime) -> bool:
        target = transitions.REGIONS[region].target(getattr(application, region), event)
        also: dict[str, Any] = {}
        if region == actions.SERVICE and target == service.ASLEEP:
            also["sleep_asked_at"] = None
        if target in (service.AWAKE, service.DRAINING, health.FAULTY):
            also["wake_asked_at"] = None
        if region == actions.HEALTH and event == health.FAULT:
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

    def _say_what_is_next(self, found: Facts, now: datetime) -> None:
        outlook = next_event(found.desired, found.observed, now=now)
        application = found.application
        if (outlook.what, outlook.at) == (application.next_what, application.next_at):
            return
        Application.objects.filter(pk=application.pk).update(next_what=outlook.what, next_at=outlook.at)
        notify("outlook", application=application.pk)
