"""Waking: the short way from a queued execution to a process, for applications that are simply asleep. Floor 2.

Somebody waits, in the database or for a moment in the memory of a server, so nothing else is looked at meanwhile, and
everything is written at once. What to do is said by the same plan as everywhere; when that is more than to wake it with
a process, or it does not go, Living does it a moment later.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ovd_saas.appcore import wakes
from ovd_saas.domain import actions, service
from ovd_saas.domain.plan import plan
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.store import memory
from ovd_saas.store.facts import Facts
from ovd_saas.store.records import Runner
from ovd_saas.store.rest import Rest

log = structlog.get_logger()
HEARS = ("queue", "wanted")


class Waking:
    """`hear` each notice; `tick` then looks at the applications that they are about."""

    def __init__(self, engine: Engine, runner: Callable[[], Runner | None]) -> None:
        self._engine = engine
        self._runner = runner
        self._rest = Rest()
        self._queued: set[int] = set()
        self._wanted: dict[int, str] = {}  # those of them for which somebody waits in a server's memory: an execution
        self._lock = threading.Lock()

    def hear(self, notice: dict[str, Any]) -> None:
        if notice["about"] in HEARS:
            with self._lock:
                self._queued.add(notice["application"])
                if notice["about"] == "wanted":
                    self._wanted.setdefault(notice["application"], notice["execution"])

    def tick(self) -> bool:
        with self._lock:
            queued, self._queued = self._queued, set()
            wanted, self._wanted = self._wanted, {}
        runner = self._runner()
        if queued and runner is not None and runner.drained_at is None:
            for found in self._rest.of(queued, runner, machine_mb=memory.total_mb(runner)):
                execution = wanted.get(found.application.pk)
                if execution is None:
                    self._look_after(found, runner)
                else:
                    self._look_after(_awaited(found), runner, cause=f"execution:{execution}")
        return False

    def _look_after(self, found: Facts, runner: Runner, cause: str = "") -> None:
        """Whatever is wrong with one application, the others are woken."""
        now = timezone.now()
        try:
            match plan(found.desired, found.observed, now=now):
                case (
                    actions.Move(region=actions.SERVICE, event=service.WAKE, reason=reason),
                    actions.StartProcess(edition=edition),
                ) if edition == found.desired.edition:
                    wakes.wake(engine=self._engine, found=found, runner=runner, reason=reason, cause=cause, now=now)
        except base.EngineError as error:
            log.info("not woken at once", application=found.application.address, why=str(error))
        except (OperationalError, InterfaceError):
            raise  # the loop connects anew; Living looks at all of them
        except Exception:
            log.exception("an application could not be woken", application=found.application.address)


def _awaited(found: Facts) -> Facts:
    """Whoever waits in a server's memory is not in the database yet, and may never be."""
    if found.observed.queued:
        return found
    return replace(found, observed=replace(found.observed, queued=1, waiting_since=timezone.now()))
