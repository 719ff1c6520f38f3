"""Watching: what the runner tells becomes rows. Called from the engine's own thread. Floor 2."""

from collections.abc import Callable
from dataclasses import asdict
from uuid import UUID

import structlog
from django.db import connections
from django.utils import timezone

from ovd_saas.appcore import newborns, processes
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.store.connections import keep_sound
from ovd_saas.store.notices import notify
from ovd_saas.store.records import Runner

log = structlog.get_logger()


class Watching:
    """Keeps the runner's record, and tells `changed` after each event."""

    def __init__(self, engine: Engine, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._runner: Runner | None = None
        self._is_up = False
        self._strangers: set[str] = set()  # ids of processes that no row told of when it was last looked
        self._missing: set[UUID] = set()  # processes that only rows told of when it was last looked
        self._has_missed = False  # something that the runner told could not be noted

    def runner(self) -> Runner | None:
        """The machine to start on; None while it is down."""
        return self._runner if self._is_up else None

    def on_event(self, event: base.Event) -> None:
        keep_sound()
        try:
            self._note(event)
        except Exception:
            log.exception("an event of the runner could not be noted", what=type(event).__name__)
            connections.close_all()
            self._has_missed = True
        self._changed()

    def note_alive(self) -> bool:
        """Called now and then: the record says when the runner was last seen; what was missed is made up for."""
        if self._has_missed:
            connected = base.Connected(self._engine.hello().processes, ())
            self._has_missed = False  # before: what is missed from now on is another matter
            self.on_event(connected)
        elif self._runner is not None and self._is_up:
            machine = self._engine.hello()
            Runner.objects.filter(pk=self._runner.pk).update(seen_at=timezone.now(), facts=asdict(machine))
            self._heed(self._runner)
            living = {process.process for process in machine.processes}
            self._end_strangers(living)
            self._end_missing(self._runner, living)
            processes.make_up(runner=self._runner, living=machine.processes, now=timezone.now())
        return False

    def _heed(self, runner: Runner) -> None:
        """Whether a person drains it."""
        before = runner.drained_at
        runner.refresh_from_db(fields=["drained_at", "drained_by", "drain_reason"])
        if runner.drained_at != before:
            self._changed()

    def _end_strangers(self, living: set[str]) -> None:
        """What no row tells of, now and the last time: whoever started it died, or was late, before it could write."""
        before, self._strangers = self._strangers, processes.strangers(living)
        for stranger in before & self._strangers:
            self._engine.stop(stranger, 0)

    def _end_missing(self, runner: Runner, living: set[str]) -> None:
        """What only rows tell of, now and the last time: its end was not heard."""
        before, self._missing = self._missing, processes.missing(runner=runner, living=living)
        for process_id in before & self._missing:
            log.warning("a process had ended and nobody knew", process=str(process_id))
            processes.end(process_id=process_id, reason="Its runner no longer knows it.", now=timezone.now())

    def _note(self, event: base.Event) -> None:
        now = timezone.now()
        match event:
            case base.Connected():
                self._runner = self._record(self._engine.hello())
                processes.reconcile(engine=self._engine, runner=self._runner, living=event, now=now)
                self._is_up = True
            case base.Disconnected():
                self._is_up = False
                if self._runner is not None:
                    Runner.objects.filter(pk=self._runner.pk).update(is_up=False)
                    notify("runner")
            case base.Ready() | base.Exited():
                newborns.hear(event, now=now)

    def _record(self, machine: base.Machine) -> Runner:
        runner, _ = Runner.objects.update_or_create(
            name=machine.name, defaults={"is_up": True, "seen_at": timezone.now(), "facts": asdict(machine)}
        )
        notify("runner")
        return runner
