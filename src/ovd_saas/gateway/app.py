"""The gateway: executions and intake on bare ASGI, else Django; and what runs beside in a web process. Floor 3."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from ovd_saas.appcore.dispatch import Dispatcher
from ovd_saas.gateway.answers import Send
from ovd_saas.gateway.bodies import Disconnected, Receive
from ovd_saas.gateway.executions import Executions
from ovd_saas.gateway.intake import Intake
from ovd_saas.store import notices

log = structlog.get_logger()

Scope = dict[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_ADDRESS = re.compile(r"/api/v1/applications/([a-z0-9-]+)/([a-z0-9-]+)/executions")
_INTAKE = re.compile(r"/api/v1/applications/([a-z0-9-]+)/([a-z0-9-]+)/intake")


class Gateway:
    """An ASGI application; its lifespan starts and stops the hub of notices, the journal and the dispatcher."""

    def __init__(self, django: Any) -> None:
        self._django: Application = django
        self._executions: Executions | None = None
        self._intake: Intake | None = None
        self._dispatcher: Dispatcher | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/executions"):
            await self._route(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/intake"):
            await self._take_in(scope, receive, send)
        else:
            await self._django(scope, receive, send)

    def begin_stop(self) -> None:
        """Nothing new is begun, and requests that wait are answered now (202). From any thread, or a signal."""
        if self._loop is not None and self._dispatcher is not None:
            self._loop.call_soon_threadsafe(self._dispatcher.begin_stop)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _ADDRESS.fullmatch(scope["path"])
        if address is None or self._executions is None:
            await self._django(scope, receive, send)
            return
        try:
            answer = await self._executions.answer(scope, receive, address[1], address[2])
        except Disconnected:
            return  # nobody is there to be answered; what was begun goes on
        await answer.send(send)

    async def _take_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _INTAKE.fullmatch(scope["path"])
        if address is None or self._intake is None:
            await self._django(scope, receive, send)
        else:
            await self._intake.serve(scope, receive, send, address[1], address[2])

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        hub = notices.hub()
        dispatcher = Dispatcher(hub)
        executions = Executions(dispatcher, notices.database_address())
        intake = Intake(dispatcher.threads, executions.callers)
        hub.start()
        executions.journal.start()
        await dispatcher.start()
        following = asyncio.create_task(_follow(hub, executions))
        self._executions, self._dispatcher, self._loop = executions, dispatcher, asyncio.get_running_loop()
        self._intake = intake
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._executions = self._intake = None
        intake.stop()
        following.cancel()
        await dispatcher.stop()
        await executions.journal.stop()
        await hub.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _follow(hub: notices.Hub, executions: Executions) -> None:
    """What is kept in memory is forgotten as soon as it changed."""
    with hub.subscribe() as changes:
        while True:
            notice = await changes.get()
            about = notice["about"]
            if about in ("access", "reconnected"):
                executions.callers.forget()
            if about == "reconnected":
                executions.catalogue.forget()
            elif about == "application":
                executions.catalogue.forget(notice["id"])
            elif about == "release":
                executions.catalogue.forget(notice["application"])
