"""Wakes: from asleep to a process that starts, as quickly as can be. Floor 2: may use store, files, engines, domain."""

from datetime import datetime
from uuid import uuid4

from django.db import transaction

from ovd_saas.appcore import newborns, processes
from ovd_saas.engines.base import Engine
from ovd_saas.store import memory, transitions
from ovd_saas.store.facts import Facts
from ovd_saas.store.records import Process, Runner


def wake(*, engine: Engine, found: Facts, runner: Runner, reason: str, cause: str = "", now: datetime) -> bool:
    """Afterwards the application wakes with a process of its current edition; False when somebody was faster.

    The process is begun first, and then all is written at once, with the address: whoever waits is served the sooner by
    the time that writing takes. Nobody else knows of it until then: should this AppCore die in between, the next one
    has the runner end what no row tells of. Raises engines.base.EngineError; then nothing is written.
    """
    application, release = found.application, found.application.release
    assert release is not None
    process = Process(
        id=uuid4(), application=application, release=release, model=application.model, runner=runner, started_at=now,
        concurrency=found.desired.concurrency, memory_mb=found.desired.memory_mb,
    )  # fmt: skip
    asked = processes.asked(application, release, application.model)
    with newborns.row_on_its_way(process.pk):
        started = engine.start(process=str(process.pk), **asked)
        process.pid, process.address = started.pid, started.address
        is_ours = False
        try:
            is_ours = _written(process, found, reason, cause, now)
        finally:
            if not is_ours:
                engine.stop(str(process.pk), 0)
    return is_ours


@transaction.atomic
def _written(process: Process, found: Facts, reason: str, cause: str, now: datetime) -> bool:
    """False when it was not asleep any more, may not be served, or others have taken the memory meanwhile."""
    if not transitions.wake(process, source=found.observed.service, reason=reason, cause=cause, now=now):
        return False
    total = found.observed.machine_mb
    if total is not None and memory.locked(process.runner) > total:
        transaction.set_rollback(True)
        return False
    return True
