"""Drifting: look at what arrived since the last look, application by application. Floor 2."""

import threading
import time
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ovd_saas.appcore import drift

log = structlog.get_logger()
HEARS = ("batch", "model")  # at once; of what else a notice tells within PERIOD_SECONDS
PERIOD_SECONDS = 5.0
SEARCH_SECONDS = 60.0  # between two questions that all applications are read for: what was missed
_NAMES = {"batch": "application", "model": "application", "release": "application", "application": "id"}


class Drifting:
    """One tick looks at each application that has something new, of those that notices told of or that wait; now and
    then of all."""

    def __init__(self) -> None:
        self._told: set[int] = set()
        self._lock = threading.Lock()
        self._search_at = 0.0  # of the monotonic clock

    def hear(self, notice: dict[str, Any]) -> None:
        """There may be something new about the application that a notice is about."""
        id_ = notice.get(_NAMES.get(notice["about"], ""))
        if isinstance(id_, int):
            with self._lock:
                self._told.add(id_)

    def tick(self) -> bool:
        """Whatever is wrong with one application, the others are looked at."""
        is_search = time.monotonic() >= self._search_at
        with self._lock:
            told, self._told = self._told, set()
        if not told and not is_search:
            return False
        try:
            waiting = drift.waiting(timezone.now(), None if is_search else told)
            if is_search:
                self._search_at = time.monotonic() + SEARCH_SECONDS
            self._remember(waiting.later)
            for application_id in waiting.due:
                self._remember([application_id])  # until it is found to have nothing new
                _measure(application_id)
        except (OperationalError, InterfaceError):
            self._search_at = 0.0  # the loop connects anew, and the database says what was missed
            raise
        return False

    def _remember(self, ids: list[int]) -> None:
        with self._lock:
            self._told.update(ids)


def _measure(application_id: int) -> None:
    try:
        drift.measure(application_id, timezone.now())
    except (OperationalError, InterfaceError):
        raise  # the database is nobody's own
    except Exception:
        log.exception("drift could not be measured", application=application_id)
