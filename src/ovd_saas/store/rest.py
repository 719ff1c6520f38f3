"""Rest: the facts of applications that are simply asleep, in one query. Floor 1.

Whoever wakes one is waited for, so what rarely changes, its release and model, is remembered, and read anew when its
row is another one than it was.
"""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from django.db.models import Model

from ovd_saas.domain import health, processes, service, status
from ovd_saas.domain.admission import Memory
from ovd_saas.domain.facts import Observed
from ovd_saas.store import facts, statements
from ovd_saas.store.facts import Facts
from ovd_saas.store.records import Application, ModelVersion, Organisation, Process, Release, Runner

MOST = 1000  # remembered of each kind
R = TypeVar("R", bound=Model)

_ASLEEP = f"""
    SELECT {statements.columns(Application, "application")}, {statements.version("release")},
        {statements.version("model")}, {statements.version("organisation")}, waiting.count, waiting.since, held.mb
    FROM store_application AS application
    JOIN store_release AS release ON release.id = application.release_id
    JOIN store_organisation AS organisation ON organisation.id = application.organisation_id
    LEFT JOIN store_modelversion AS model ON model.id = application.model_id,
    LATERAL (
        SELECT count(*) AS count, min(created_at) AS since FROM store_execution
        WHERE application_id = application.id AND status = 'queued'
    ) AS waiting,
    (SELECT coalesce(sum(memory_mb), 0) AS mb FROM store_process
        WHERE state <> '{processes.ENDED}' AND runner_id = %(runner)s) AS held
    WHERE application.id = ANY(%(ids)s)
        AND application.status = '{status.ENABLED}' AND application.service = '{service.ASLEEP}'
        AND application.health = '{health.HEALTHY}'
        AND application.upcoming_id IS NULL AND application.upcoming_model_id IS NULL
        AND NOT EXISTS (SELECT FROM store_process AS process WHERE process.application_id = application.id
            AND process.state <> '{processes.ENDED}' AND process.kind = '{Process.SERVE}')
        AND NOT EXISTS (SELECT FROM store_application AS other WHERE other.waits_since IS NOT NULL)"""  # noqa: S608


class Rest:
    """For one thread."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[tuple[type[Model], int], tuple[str, Model]] = OrderedDict()

    def of(self, ids: Iterable[int], runner: Runner, *, machine_mb: int | None) -> list[Facts]:
        """Those of them that are enabled, healthy, asleep without any process, and whose start concerns no other one:
        nothing is to take over, and nobody waits for memory."""
        found = statements.read(Application, _ASLEEP, {"ids": list(ids), "runner": runner.pk})
        return [self._facts(row, machine_mb, *others) for row, others in found]

    def _facts(
        self,
        row: Application,
        machine_mb: int | None,
        of_release: str,
        of_model: str,
        of_organisation: str,
        waiting: int,
        since: datetime | None,
        held_mb: int,
    ) -> Facts:
        row.organisation = self._known(Organisation, row.organisation_id, of_organisation)
        row.release = self._known(Release, row.release_id or 0, of_release)
        row.model = self._known(ModelVersion, row.model_id, of_model) if row.model_id else None
        observed = Observed(
            service=row.service,
            learning=row.learning,
            health=row.health,
            queued=waiting,
            running=0,
            last_used_at=None,
            processes=(),
            start_failures=row.start_failures,
            retry_at=row.retry_at,
            runner_up=True,
            application=row.pk,
            waiting_since=since,
            machine_mb=machine_mb,
            memory=None if machine_mb is None else Memory(machine_mb, held_mb=held_mb),
        )
        return Facts(row, facts.desired(row), observed)

    def _known(self, kind: type[R], id_: int, version: str) -> R:
        remembered = self._remembered.get((kind, id_))
        if remembered is not None and remembered[0] == version:
            self._remembered.move_to_end((kind, id_))
            return remembered[1]  # type: ignore[return-value]
        row = kind._default_manager.get(pk=id_)
        self._remembered[kind, id_] = (version, row)
        if len(self._remembered) > MOST:
            self._remembered.popitem(last=False)
        return row
