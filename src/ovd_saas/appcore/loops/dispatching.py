"""Dispatching: AppCore brings to processes what no gateway has brought there for a while. Floor 2."""

import asyncio
import threading
from datetime import timedelta

import structlog

from ovd_saas.appcore.dispatch import Dispatcher
from ovd_saas.store.notices import Hub

log = structlog.get_logger()
WAITED = timedelta(seconds=2)  # a gateway that lives is always faster
STOP_WITHIN_SECONDS = 5.0


class Dispatching:
    """The same dispatcher as in web, in an event loop of its own thread."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="dispatching", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Afterwards nothing is held here; what ran is queued again."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_WITHIN_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._dispatch())
        except Exception:
            log.exception("dispatching failed")
        finally:
            self._loop.close()

    async def _dispatch(self) -> None:
        hub = Hub(self._url)
        dispatcher = Dispatcher(hub, waited=WAITED)
        await dispatcher.start()
        await self._stopping.wait()
        await dispatcher.stop()
        await hub.stop()
