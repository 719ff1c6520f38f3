"""Triggering: for every application that may have something to learn, look at its triggers. Floor 2.

Notices say which application to look at now; the database says whose moment has come, and, asked at every start and
rarely after that, which ones were missed, whoever died when.
"""

import threading
import time
from collections.abc import Iterable
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from ovd_saas.appcore import triggers
from ovd_saas.store.queries import triggers as queries

log = structlog.get_logger()
LONGEST_PAUSE_SECONDS = 5.0  # between two questions whose moment has come
SEARCH_SECONDS = 60.0  # between two questions what was missed, which all applications are read for
_NAMES = {  # of an application, in the notices that are about what its triggers look at
    "batch": "application",
    "drift": "application",
    "trigger": "application",
    "learning": "application",
    "model": "application",
    "release": "application",
    "application": "id",
}
HEARS = ("batch",)  # at once; the others within SOON_SECONDS, also because each look that says something tells of it
SOON_SECONDS = 0.25


class Triggering:
    """One tick looks at the applications that were told of, and, when its time has come, at those that are found."""

    def __init__(self) -> None:
        self._told: set[int] = set()
        self._lock = threading.Lock()
        self._ask_at = 0.0  # of the monotonic clock
        self._search_at = 0.0  # likewise

    def hear(self, notice: dict[str, Any]) -> None:
        """The application that a notice is about is looked at in the next tick."""
        id_ = notice.get(_NAMES.get(notice["about"], ""))
        if isinstance(id_, int):
            with self._lock:
                self._told.add(id_)

    def tick(self) -> bool:
        with self._lock:
            told, self._told = self._told, set()
        is_time = time.monotonic() >= self._ask_at
        if not told and not is_time:
            return False
        is_well = self._look_at(told)
        is_more = False
        if is_time:
            found = self._found()
            is_well = self._look_at(found) and is_well
            is_more = is_well and len(found) >= queries.AT_ONCE
            self._ask_at = time.monotonic() + LONGEST_PAUSE_SECONDS
        if not is_well or is_more:
            self._search_at = 0.0  # with the next question
        if is_well:
            self._ask_at = min(self._ask_at, time.monotonic() + (0.0 if is_more else _seconds_to_next()))
        return is_more

    def _found(self) -> list[int]:
        """What the database knows of to look at."""
        if time.monotonic() < self._search_at:
            return queries.due(timezone.now())
        found = queries.candidates(timezone.now())
        self._search_at = time.monotonic() + SEARCH_SECONDS
        return found

    def pause(self) -> float:
        """Seconds until the next tick, where nothing nudges it."""
        return min(max(0.0, self._ask_at - time.monotonic()), SOON_SECONDS)

    def _look_at(self, ids: Iterable[int]) -> bool:
        return sum(not self._look(id_) for id_ in ids) == 0

    def _look(self, id_: int) -> bool:
        """Whatever is wrong with one application, the others learn on."""
        try:
            triggers.look(id_, timezone.now())
            return True
        except (OperationalError, InterfaceError):
            self._ask_at = self._search_at = 0.0  # the loop connects anew, and the database says what was missed
            raise
        except Exception:
            log.exception("the triggers of an application could not be looked at", application=id_)
            return False


def _seconds_to_next() -> float:
    earliest = queries.earliest()
    return LONGEST_PAUSE_SECONDS if earliest is None else max((earliest - timezone.now()).total_seconds(), 0.0)
