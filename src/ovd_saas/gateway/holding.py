"""Holding: a request waits until its execution is final, its client hangs up, or its time is over. Floor 3."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from ovd_saas.appcore.dispatch_waits import Waiting, Waits
from ovd_saas.gateway.bodies import Disconnected, Receive
from ovd_saas.gateway.refusals import TooManyHeld

HELD_MAX = 256  # requests of one application
RETRY_SECONDS = 2


class Holding:
    """Which requests wait, by application: bounded, so that waiting costs others nothing."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._held: Counter[int] = Counter()

    @contextlib.contextmanager
    def place(self, application_id: int) -> Iterator[None]:
        """A place to wait in. Raises TooManyHeld."""
        if self._held[application_id] >= HELD_MAX:
            raise TooManyHeld(
                f"{HELD_MAX} requests wait for this application. Try again later, or send Prefer: respond-async.",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._held[application_id] += 1
        try:
            yield
        finally:
            self._held[application_id] -= 1
            if not self._held[application_id]:
                del self._held[application_id]

    @contextlib.contextmanager
    def waiting(self, id_: UUID) -> Iterator[Waiting]:
        """Done when this execution is final, or when the server stops."""
        waiting = self._waits.begin(id_)
        try:
            yield waiting
        finally:
            self._waits.end(id_, waiting)


async def hold(waiting: Waiting, seconds: float, receive: Receive) -> None:
    """Returns when it is done or the time is over. Raises Disconnected; the execution goes on."""
    listening = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((waiting, listening), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if listening.done() and not waiting.done():
            raise Disconnected
    finally:
        listening.cancel()
