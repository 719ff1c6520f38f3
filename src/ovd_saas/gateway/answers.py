"""Answers: status, headers and body, as ASGI messages. Floor 3."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ovd_saas.appcore import problems
from ovd_saas.appcore.refusals import Refusal

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes
    headers: Headers = field(default_factory=list)

    async def send(self, send: Send) -> None:
        headers = [*self.headers, (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def of_execution(status: int, view: dict[str, Any], location: str, applied: str) -> Answer:
    """201 when it is finished, 202 when not yet; the client finds it at `location` in both cases."""
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"location", location.encode()),
    ]
    if applied:
        headers.append((b"preference-applied", applied.encode()))
    return Answer(status, orjson.dumps(view), headers)


def of_refusal(refusal: Refusal) -> Answer:
    return _problem(problems.of_refusal(refusal), refusal.retry_after_seconds)


def of_surprise() -> Answer:
    """Something that nobody foresaw; the log has it."""
    detail = "The platform made a mistake. It is in the log of the web process; please tell its operators."
    return _problem(problems.document(500, "internal_error", detail), None)


def _problem(document: dict[str, Any], retry_after_seconds: int | None) -> Answer:
    named = problems.headers(document["status"], retry_after_seconds)
    headers = [(b"content-type", problems.MEDIA_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in named.items()]
    if document["status"] == 413:
        headers.append((b"connection", b"close"))  # we do not read the rest
    return Answer(document["status"], orjson.dumps(document), headers)
