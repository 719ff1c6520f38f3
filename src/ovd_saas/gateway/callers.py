"""Callers: who sends this request, by bearer token (kept in memory for a moment) or by the pages' session. Floor 3."""

import time
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from ovd_saas.appcore import access
from ovd_saas.appcore.access import Caller
from ovd_saas.gateway.refusals import CsrfFailed, Unauthorised
from ovd_saas.store.records import User
from ovd_saas.store.threads import Threads

KNOWN_SECONDS = 30.0
UNKNOWN_SECONDS = 2.0  # shields the database from a program that insists on a wrong token
_MOST = 10_000

Headers = dict[bytes, bytes]


class Callers:
    """`forget()` when access changed anywhere: the next request of each caller asks the database."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._known: dict[bytes, tuple[Caller | None, float]] = {}
        self._generation = 0

    def forget(self) -> None:
        self._known.clear()
        self._generation += 1

    async def identify(self, scope: dict[str, Any], headers: Headers) -> Caller:
        """Raises Unauthorised, CsrfFailed."""
        authorization = headers.get(b"authorization")
        if authorization is None:
            return await self._by_session(scope, headers)
        known = self._known.get(authorization)
        if known is None or known[1] < time.monotonic():
            caller = await self._ask(authorization)
        else:
            caller = known[0]
        if caller is None:
            raise Unauthorised("The token is unknown or revoked. Make one in the Control Panel, under Tokens.")
        return caller

    async def _ask(self, authorization: bytes) -> Caller | None:
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorised("Send a token: Authorization: Bearer ovd_…")
        generation = self._generation
        caller = await self._threads.call(access.authenticate, token.strip())
        if generation == self._generation:
            if len(self._known) >= _MOST:
                self._known.clear()
            seconds = UNKNOWN_SECONDS if caller is None else KNOWN_SECONDS
            self._known[authorization] = (caller, time.monotonic() + seconds)
        return caller

    async def _by_session(self, scope: dict[str, Any], headers: Headers) -> Caller:
        if settings.SESSION_COOKIE_NAME.encode() not in headers.get(b"cookie", b""):
            raise Unauthorised("Send a token: Authorization: Bearer ovd_…")
        return await self._threads.call(_of_session, scope)


def _of_session(scope: dict[str, Any]) -> Caller:
    """Session and CSRF as Django checks them; the token comes in the header X-CSRFToken. The body is not looked at."""
    headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-type", b"content-length")]
    request = ASGIRequest({**scope, "headers": headers}, BytesIO())
    SessionMiddleware(_nothing).process_request(request)
    AuthenticationMiddleware(_nothing).process_request(request)
    user = request.user
    if not isinstance(user, User):
        raise Unauthorised("The session has ended. Sign in again.")
    csrf = CsrfViewMiddleware(_nothing)
    csrf.process_request(request)
    if csrf.process_view(request, _nothing, (), {}) is not None:
        raise CsrfFailed("The CSRF token is missing or wrong. Load the page again, or send a bearer token.")
    return access.of_user(user)


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
