"""The catalogue: what a request needs to know of an application, kept in memory until it changes. Floor 3."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from ovd_saas.appcore import dispatch_rows, executions
from ovd_saas.appcore.dispatch_process import ServedRelease
from ovd_saas.domain import health, status
from ovd_saas.store.queries import applications
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


def _read(organisation: str, name: str) -> Entry | None:
    application = applications.by_address(organisation, name)
    if application is None:
        return None
    release = application.release
    is_well = application.status == status.ENABLED and application.health != health.FAULTY
    return Entry(
        application_id=application.pk,
        organisation=organisation,
        address=application.address,
        is_accepting=is_well and release is not None,
        release=dispatch_rows.served(release) if release else None,
        inputs=release.schema.get("inputs", {}) if release else {},
        max_queue=executions.max_queue(release) if release else 0,
    )
