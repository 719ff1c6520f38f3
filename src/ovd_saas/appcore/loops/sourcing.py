"""Sourcing: pull the sources that are due, and gather executions that their callers let the application learn from.
Floor 2."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ovd_saas.appcore import intake_executions, sources
from ovd_saas.store.queries import batches as queries
from ovd_saas.store.records import Application

log = structlog.get_logger()
HEARS = ("release", "trigger")  # what else moves them on is found within PERIOD_SECONDS
PERIOD_SECONDS = 5.0


class Sourcing:
    """One tick looks after the applications that may have something to pull or to gather. Several threads may tick;
    each takes other applications, so that one slow place does not keep the others waiting."""

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._gathered_at = 0.0  # time.monotonic()

    def tick(self) -> bool:
        """True if there may be more."""
        new = queries.unknown_sources()
        for application in new:
            self._guarded(self._schedule, application)
        for application in queries.to_pull(self._clock()):
            if self._take(application.pk):
                try:
                    self._guarded(self._pull, application)
                finally:
                    self._give_back(application.pk)
        is_time = time.monotonic() >= self._gathered_at  # not at each nudge: several executions make one batch
        is_more = is_time and self._gather()
        return len(new) == queries.AT_ONCE or is_more

    def _gather(self) -> bool:
        self._gathered_at = time.monotonic() + PERIOD_SECONDS
        found = [self._guarded(self._gather_of, application) for application in queries.from_executions()]
        return any(found)

    def _take(self, id_: int) -> bool:
        with self._lock:
            if id_ in self._taken:
                return False
            self._taken.add(id_)
            return True

    def _give_back(self, id_: int) -> None:
        with self._lock:
            self._taken.discard(id_)

    def _schedule(self, application: Application) -> bool:
        sources.schedule(application=application, now=self._clock())
        return False

    def _pull(self, application: Application) -> bool:
        now = self._clock()
        due = sources.due(application, now)
        for source in due:
            sources.pull(application=application, source=source, clock=self._clock)
        sources.pulled(application=application, now=now)
        return False

    def _gather_of(self, application: Application) -> bool:
        batch = intake_executions.gather(application, now=self._clock())
        return batch is not None and batch.samples == intake_executions.AT_ONCE

    def _guarded(self, do: Callable[[Application], bool], application: Application) -> bool:
        """Whatever is wrong with one application, the others are looked after."""
        try:
            return do(application)
        except (OperationalError, InterfaceError):
            raise  # the database is nobody's own: the loop connects anew
        except Exception:
            log.exception("an application's data could not be gathered", application=application.address)
            return False
