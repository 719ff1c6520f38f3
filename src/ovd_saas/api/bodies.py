"""Bodies: how much of a request is read at all. Django keeps a whole body on disk before any code of ours sees it, so
what is too large, or an archive of nobody, is refused here, before. Floor 3."""

import re
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from ovd_saas.api import uploads
from ovd_saas.appcore import access, problems

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST = 16 << 20  # bytes of a request of the API
LARGEST_ARCHIVE = uploads.LARGEST + (1 << 20)  # the multipart form around it
LARGEST_FORM = 1 << 30  # bytes that a page of an application may send, with its files
_RELEASES = re.compile(r"/api/v1/applications/[^/]+/[^/]+/releases")


class Bounded:
    """An ASGI application around another one that sees no more of a body than it may."""

    def __init__(self, inner: Callable[..., Awaitable[None]]) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limit = _limit(scope["path"])
        if _length(headers) > limit:
            await _refuse(send, 413, "too_large", _too_large(limit))
        elif limit == LARGEST_ARCHIVE and not await _is_somebody(headers):
            await _refuse(send, 401, "unauthorised", "Send a token that is not revoked: Authorization: Bearer ovd_…")
        else:
            await self._count(scope, receive, send, limit)

    async def _count(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Hangs up on the inner application when the body turns out to be too large, and answers itself."""
        total = 0
        has_answered = False

        async def counted() -> dict[str, Any]:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            return {"type": "http.disconnect"} if total > limit else message

        async def watched(message: dict[str, Any]) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        await self._inner(scope, counted, watched)
        if total > limit and not has_answered:
            await _refuse(send, 413, "too_large", _too_large(limit))


def _limit(path: str) -> int:
    if _RELEASES.fullmatch(path):
        return LARGEST_ARCHIVE
    return LARGEST if path.startswith("/api/") else LARGEST_FORM


def _length(headers: dict[bytes, bytes]) -> int:
    """What the client says itself; 0 when it does not."""
    text = headers.get(b"content-length", b"")
    return int(text[:20]) if text.isdigit() else 0


def _too_large(limit: int) -> str:
    return f"The request has more than {limit >> 20} MiB, which is the most here. Send less."


async def _is_somebody(headers: dict[bytes, bytes]) -> bool:
    """Whether there is a token or session that may open something; the operation judges it."""
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    try:
        if authorization:
            scheme, _, token = authorization.partition(" ")
            return scheme.lower() == "bearer" and await sync_to_async(_opens, thread_sensitive=False)(token.strip())
        return settings.SESSION_COOKIE_NAME in SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except (DatabaseError, CookieError):
        return True


def _opens(token: str) -> bool:
    close_old_connections()
    try:
        return access.authenticate(token) is not None
    finally:
        close_old_connections()


async def _refuse(send: Send, status: int, code: str, detail: str) -> None:
    """The connection is closed: nobody reads the rest of the body."""
    body = orjson.dumps(problems.document(status, code, detail))
    named = {"Content-Type": problems.MEDIA_TYPE, "Connection": "close", **problems.headers(status)}
    headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
