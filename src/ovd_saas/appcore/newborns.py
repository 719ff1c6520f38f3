"""Newborns: processes that were begun before their rows are written. What the runner tells of one meanwhile waits until
its row is there, as it would change nothing before. Floor 2: may use store, files, engines, domain."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from ovd_saas.appcore import processes
from ovd_saas.engines import base

Told = base.Ready | base.Exited

_lock = threading.Lock()
_told: dict[UUID, list[Told]] = {}  # by process whose row is on its way


@contextmanager
def row_on_its_way(process_id: UUID) -> Iterator[None]:
    """Within it the process is begun and its row is committed; afterwards what was told meanwhile is noted."""
    with _lock:
        _told[process_id] = []
    try:
        yield
    finally:
        with _lock:
            told = _told.pop(process_id)
        for event in told:
            _note(event, now=timezone.now())


def hear(event: Told, *, now: datetime) -> None:
    """Take note of what the runner tells of a process, now or as soon as its row is there."""
    with _lock:
        waiting = _told.get(UUID(event.process))
        if waiting is not None:
            waiting.append(event)
            return
    _note(event, now=now)


def _note(event: Told, *, now: datetime) -> None:
    match event:
        case base.Ready(process=id_):
            processes.answer(process_id=UUID(id_), now=now, told=event)
        case base.Exited(process=id_, message=message):
            processes.end(process_id=UUID(id_), reason=message, now=now)
