"""Bodies: what a client wants executed, from JSON or from a multipart form. Floor 3."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from ovd.nearest import did_you_mean
from ovd.schema import FieldError
from ovd.values import called, parse_moment
from ovd_saas.gateway.refusals import BadRequest, TooLarge

Receive = Callable[[], Awaitable[dict[str, Any]]]

LARGEST_JSON = 32 << 20  # bytes
LARGEST_SEED = 2**53 - 1
_ZONE = re.compile(r"([Zz]|[+-]\d\d:\d\d)$", re.ASCII)
MEMBERS = ("inputs", "seed", "deadline", "consent")


class Disconnected(Exception):
    """The client hung up before the request was whole."""


@dataclass(slots=True)
class Wanted:
    """A request as it was understood; `errors` is all that is wrong with it so far."""

    inputs: Any = field(default_factory=dict)
    seed: int | None = None
    deadline_at: datetime | None = None
    deadline: Any = None  # as given
    consent: bool = False  # the application may learn from it
    size: int = 0  # bytes of JSON
    errors: list[FieldError] = field(default_factory=list)


class AsyncChunks:
    """The pieces of a request's body. Raises Disconnected."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False

    def __aiter__(self) -> "AsyncChunks":
        return self

    async def __anext__(self) -> bytes:
        if self._is_over:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] != "http.request":
            raise Disconnected
        self._is_over = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body


def check_length(headers: Mapping[bytes, bytes], limit: int) -> None:
    """Raises TooLarge when the client says so itself."""
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise TooLarge(_too_large(limit))


def _too_large(limit: int) -> str:
    return f"The request has more than {limit >> 20} MiB. Send large data as files, or less of it."


async def read(receive: Receive, limit: int = LARGEST_JSON) -> bytes:
    """The whole body. Raises TooLarge, Disconnected."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        if len(whole) <= limit:
            return whole
        raise TooLarge(_too_large(limit))
    parts = bytearray(_body(message))
    async for chunk in AsyncChunks(receive):
        parts += chunk
        if len(parts) > limit:
            raise TooLarge(_too_large(limit))
    return bytes(parts)


def _body(message: dict[str, Any]) -> bytes:
    if message["type"] != "http.request":
        raise Disconnected
    body: bytes = message.get("body", b"")
    return body


def from_json(body: bytes, now: datetime) -> Wanted:
    """Raises BadRequest when it is not JSON; all else that is wrong is in `errors`."""
    wanted = Wanted(size=len(body))
    given = parse(body, "The body")
    if not isinstance(given, dict):
        wanted.errors.append(FieldError("body", f"must be an object, not {called(given)}."))
        return wanted
    for name in given:
        if name not in MEMBERS:
            message = f"is not a field of this request.{did_you_mean(name, MEMBERS)}"
            wanted.errors.append(FieldError(name, message))
    if "inputs" in given:
        wanted.inputs = given["inputs"]
    else:
        wanted.errors.append(FieldError("inputs", "is missing: an object with one member per input."))
    take_seed(wanted, given.get("seed"))
    take_deadline(wanted, given.get("deadline"), now)
    take_consent(wanted, given.get("consent"))
    return wanted


def parse(text: bytes, subject: str) -> Any:
    """Raises BadRequest."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{subject} is not JSON: {error}.") from None


def take_seed(wanted: Wanted, given: Any) -> None:
    if given is None:
        return
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= LARGEST_SEED:
        message = f"must be a whole number from 0 to 2^53 - 1, not {called(given)}."
        wanted.errors.append(FieldError("seed", message))
    else:
        wanted.seed = given


def take_deadline(wanted: Wanted, given: Any, now: datetime) -> None:
    """A number counts seconds from now; a text is an RFC 3339 moment."""
    if given is None:
        return
    wanted.deadline = given
    try:
        wanted.deadline_at = _moment(given, now)
    except (ValueError, OverflowError):
        message = f"must be seconds from now or a moment such as 2026-03-01T12:00:00Z, not {called(given)}."
        wanted.errors.append(FieldError("deadline", message))
        return
    if wanted.deadline_at <= now:
        wanted.errors.append(FieldError("deadline", "has passed already."))


def take_consent(wanted: Wanted, given: Any) -> None:
    """Whether the application may learn from the execution; nothing said means no."""
    if isinstance(given, bool):
        wanted.consent = given
    elif given is not None:
        wanted.errors.append(FieldError("consent", f"must be true or false, not {called(given)}."))


def _moment(given: Any, now: datetime) -> datetime:
    if isinstance(given, str):
        if not _ZONE.search(given):
            raise ValueError  # whose noon would it be?
        return parse_moment(given).astimezone(UTC)
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise ValueError
    return now + timedelta(seconds=given)
