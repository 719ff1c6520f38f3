"""Evicting: have the runner end those processes that a person wants ended. Floor 2."""

from uuid import UUID

from ovd_saas.appcore import processes
from ovd_saas.domain import processes as states
from ovd_saas.engines.base import Engine
from ovd_saas.store.records import Process

PERIOD_SECONDS = 5.0
HEARS = ("processes",)


class Evicting:
    """One tick tells the runner of those that it was not told of; a restarted AppCore tells it again, which costs
    nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: set[UUID] = set()

    def tick(self) -> bool:
        rows = Process.objects.filter(state=states.DRAINING, end_reason__startswith=processes.EVICTED)
        evicted = {row.pk: row for row in rows.exclude(address="").select_related("release")}
        for id_ in evicted.keys() - self._told:
            self._engine.stop(str(id_), processes.drain_seconds(evicted[id_]))
        self._told = set(evicted)
        return False
