"""Waits: those who hold a request until its execution has a final state. Floor 2."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from ovd_saas.appcore.dispatch_run import Run
from ovd_saas.domain import executions
from ovd_saas.store.records import Execution

Waiting = asyncio.Future[Run | bool]  # the run that ended it here, else whether it is final


class Waits:
    """Told by notices and by runs that end here; `ids` are asked of the database now and then, in case one got lost."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, set[Waiting]] = defaultdict(set)
        self._is_dismissed = False

    @property
    def ids(self) -> list[UUID]:
        return list(self._waiting)

    def begin(self, id_: UUID) -> "Waiting":
        """A future that is done when the execution is final; give it to `end` afterwards."""
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._waiting[id_].add(waiting)
        if self._is_dismissed:
            waiting.set_result(False)
        return waiting

    def end(self, id_: UUID, waiting: "Waiting") -> None:
        waiting.cancel()
        if (others := self._waiting.get(id_)) is not None:
            others.discard(waiting)
            if not others:
                del self._waiting[id_]

    def told(self, ids: Iterable[UUID], run: Run | None = None) -> None:
        """These are final; by this run, if it was here."""
        for id_ in ids:
            for waiting in self._waiting.get(id_, ()):
                if not waiting.done():
                    waiting.set_result(run or True)

    def dismiss(self) -> None:
        """Nobody waits any longer: the server is stopping."""
        self._is_dismissed = True
        for waiting in [one for some in self._waiting.values() for one in some]:
            if not waiting.done():
                waiting.set_result(False)


def final_among(ids: list[UUID]) -> list[UUID]:
    return list(Execution.objects.filter(pk__in=ids, status__in=executions.FINAL).values_list("pk", flat=True))
