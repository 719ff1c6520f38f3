"""The catalogue: what a request needs to know of an application, kept in memory until it changes. Floor 3."""

import asyncio
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ovd_saas.appcore import dispatch_rows, executions
from ovd_saas.appcore.dispatch_process import ServedRelease
from ovd_saas.domain import health, status
from ovd_saas.store import statements
from ovd_saas.store.records import Release
from ovd_saas.store.threads import Threads

KNOWN_SECONDS = 30.0
_MOST = 10_000


@dataclass(frozen=True)
class Entry:
    """An application as the gateway sees it."""

    application_id: int
    organisation: str
    address: str  # org/name
    is_accepting: bool  # it may be executed without asking any further
    release: ServedRelease | None  # the current one
    inputs: dict[str, Any]  # JSON Schema of the current release
    max_queue: int = 0  # executions that may wait


class Catalogue:
    """`forget` what changed; what nobody told of is asked again after KNOWN_SECONDS."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._known: dict[tuple[str, str], tuple[Entry, float]] = {}
        self._reading: dict[tuple[str, str, int], asyncio.Task[Entry | None]] = {}  # one for all who want to know
        self._generation = 0

    async def find(self, organisation: str, name: str) -> Entry | None:
        known = self._known.get((organisation, name))
        if known is not None and known[1] > time.monotonic():
            return known[0]
        generation = self._generation
        entry = await self._read(organisation, name)
        if entry is not None and generation == self._generation:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[organisation, name] = (entry, time.monotonic() + KNOWN_SECONDS)
        return entry

    async def _read(self, organisation: str, name: str) -> Entry | None:
        wanted = (organisation, name, self._generation)
        reading = self._reading.get(wanted)
        if reading is None:
            reading = asyncio.ensure_future(self._threads.call(_read, organisation, name))
            reading.add_done_callback(lambda _: self._reading.pop(wanted))
            self._reading[wanted] = reading
        return await asyncio.shield(reading)

    def forget(self, application_id: int | None = None) -> None:
        """One application; None: all."""
        self._generation += 1
        for key, (entry, _) in [*self._known.items()]:
            if application_id in (None, entry.application_id):
                del self._known[key]


_ENTRY = f"""
    SELECT application.id, application.status, application.health, application.release_id,
        {statements.version("release")}
    FROM store_application AS application
    JOIN store_organisation AS organisation ON organisation.id = application.organisation_id
    LEFT JOIN store_release AS release ON release.id = application.release_id
    WHERE organisation.slug = %(organisation)s AND application.name = %(name)s"""  # noqa: S608 - names of columns


def _read(organisation: str, name: str) -> Entry | None:
    for id_, state, well, release_id, version in statements.run(_ENTRY, {"organisation": organisation, "name": name}):
        served = _served(release_id, version) if release_id is not None else _Served(None, {}, 0)
        return Entry(
            application_id=id_,
            organisation=organisation,
            address=f"{organisation}/{name}",
            is_accepting=state == status.ENABLED and well != health.FAULTY and served.release is not None,
            release=served.release,
            inputs=served.inputs,
            max_queue=served.max_queue,
        )
    return None


@dataclass(frozen=True)
class _Served:
    release: ServedRelease | None
    inputs: dict[str, Any]
    max_queue: int


@lru_cache(maxsize=1000)
def _served(release_id: int, version: str) -> _Served:
    """A release is large, and read once as long as its row stays the same."""
    release = Release.objects.get(pk=release_id)
    return _Served(dispatch_rows.served(release), release.schema.get("inputs", {}), executions.max_queue(release))
