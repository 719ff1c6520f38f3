"""Sourcing: pull the sources that are due, and gather executions that their callers let the application learn from.
Floor 2."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
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


Key = tuple[int | None, datetime | None]  # release, and the moment up to which its schedules were looked at


@dataclass(frozen=True)
class _Next:
    """What is known of the sources of an application."""

    has_sources: bool
    at: datetime | None = None  # when the first one is due by itself


class Sourcing:
    """One tick looks after the applications that may have something to pull or to gather. Several threads may tick;
    each takes other applications, so that one slow place does not keep the others waiting."""

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[int, tuple[Key, _Next]] = {}  # by application; holds as long as the key is the same
        self._taken: set[int] = set()
        self._gathered_at = 0.0  # time.monotonic()

    def tick(self) -> bool:
        """True if there may be more."""
        for application in self._due():
            if self._take(application.pk):
                try:
                    self._guarded(self._pull, application)
                finally:
                    self._give_back(application.pk)
        is_time = time.monotonic() >= self._gathered_at  # not at each nudge: several executions make one batch
        return is_time and self._gather()

    def _due(self) -> list[Application]:
        """Those with something to pull. Manifests, of which there may be a thousand, are read when they are new."""
        now, rows = self._clock(), queries.pulls()
        keys = {row.application: (row.release, row.until) for row in rows}
        with self._lock:
            known = {id_: self._next[id_] for id_ in keys if id_ in self._next and self._next[id_][0] == keys[id_]}
            new = keys.keys() - known.keys()
            known |= {id_: (keys[id_], _Next(has_sources=False)) for id_ in new}
            for application in queries.with_sources(new) if new else ():
                id_ = application.pk
                known[id_] = ((application.release_id, application.pulled_until), _next(application, now))
            self._next = known
        return queries.with_sources(row.application for row in rows if _is_due(row, known[row.application][1], now))

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

    def _pull(self, application: Application) -> bool:
        now = self._clock()
        due = sources.due(application, now)
        for source in due:
            sources.pull(application=application, source=source, clock=self._clock)
        if due or application.pulled_until is None:
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


def _next(application: Application, now: datetime) -> _Next:
    moments = (sources.next_at(application, source, now) for source in sources.declared(application))
    return _Next(has_sources=True, at=min((at for at in moments if at is not None), default=None))


def _is_due(row: queries.Pulls, found: _Next, now: datetime) -> bool:
    """Also when they were never looked at: then the schedules begin to count."""
    if not found.has_sources:
        return False
    return row.asked_at is not None or row.until is None or (found.at is not None and found.at <= now)
