"""Intake: POST A/intake. Streams samples to disk while they are checked; answers when they are a batch. Floor 3.

Two blocks of a body are in memory at most: one is checked in a thread while the next arrives. What is refused early is
answered at once, and the rest of the body is read past for a moment, so that the client gets to see the answer.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
import structlog
from django.db import Error as DatabaseError
from django.utils import timezone

from ovd_saas.appcore import access, batches, intake
from ovd_saas.appcore.access import Caller
from ovd_saas.appcore.batches import Sender
from ovd_saas.appcore.intake import Delivered, Delivery, Rules
from ovd_saas.appcore.intake_spool import Spool, TooLarge, check_room, largest
from ovd_saas.appcore.refusals import Forbidden, NotFound, Refusal
from ovd_saas.gateway import answers
from ovd_saas.gateway.answers import Answer, Send
from ovd_saas.gateway.bodies import AsyncChunks, Disconnected, Receive
from ovd_saas.gateway.callers import Callers
from ovd_saas.gateway.intake_forms import IntakeForm
from ovd_saas.gateway.preferences import idempotency_key, unknown_parameters
from ovd_saas.gateway.refusals import Down, Invalid, RequestTimeout, TooManyHeld, UnsupportedMediaType
from ovd_saas.store.queries import applications
from ovd_saas.store.threads import Threads

log = structlog.get_logger()
T = TypeVar("T")

BLOCK = 1 << 18  # bytes that are checked at once; checking holds other Python back for about 2 ms
AT_ONCE = 32  # deliveries that arrive at the same time
THREADS = 4
SILENCE_SECONDS = 120.0  # without a byte, after which nobody waits for the rest
LINGER_SECONDS = 10.0  # in which the rest of a refused body is read past
RETRY_SECONDS = 2
_TAKES = (
    f"{intake.JSON_LINES} (one JSON object a line), {intake.JSON} (an object, or an array of them), {intake.CSV}, "
    f"{intake.PARQUET} or {intake.FORMS}"
)


@dataclass(slots=True)
class Sent:
    """One request, understood as far as its head goes."""

    rules: Rules
    sender: Sender
    media_type: str  # one that the intake knows
    content_type: bytes  # as it was sent
    key: str | None
    length: int | None  # bytes, as the client says
    now: datetime


class Intake:
    """The operation. `serve` answers by itself."""

    def __init__(self, threads: Threads, callers: Callers) -> None:
        self._threads = threads
        self._callers = callers
        self._pool = ThreadPoolExecutor(THREADS, "intake")
        self._arriving = 0

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send, organisation: str, name: str) -> None:
        body = Body(receive)
        try:
            answer = await self._answer(scope, body, organisation, name)
        except Disconnected:
            return  # nothing was stored, and nobody is there to be told
        is_expecting = (b"expect", b"100-continue") in [(key, value.lower()) for key, value in scope["headers"]]
        if body.is_over or (is_expecting and not body.is_begun):
            await answer.send(send)
        else:
            await _linger(answer, body, send)

    async def _answer(self, scope: dict[str, Any], body: "Body", organisation: str, name: str) -> Answer:
        address = f"{organisation}/{name}"
        try:
            sent = await self._understand(scope, organisation, name)
            with self._place():
                batch, is_new = await self._store(sent, body)
            headers = [
                (b"content-type", b"application/json"),
                (b"cache-control", b"no-store"),
                (b"location", f"/api/v1/applications/{address}/batches/{batch['number']}".encode()),
            ]
            return Answer(201 if is_new else 200, orjson.dumps(batch), headers)
        except Refusal as refusal:
            return answers.of_refusal(refusal)
        except Disconnected:
            raise
        except DatabaseError as error:
            log.warning("a delivery was refused", application=address, error=str(error).strip())
            detail = "The database cannot be reached; nothing was stored. Send it again."
            return answers.of_refusal(Down(detail, retry_after_seconds=RETRY_SECONDS))
        except Exception:
            log.exception("a delivery failed", application=address)
            return answers.of_surprise()

    async def _understand(self, scope: dict[str, Any], organisation: str, name: str) -> Sent:
        """Raises what a head alone can be refused for, before a byte of the body is read."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        caller = await self._callers.identify(scope, headers)
        rules = await self._threads.call(_rules, caller, organisation, name)
        if scope["query_string"]:
            raise Invalid("This operation takes no query parameters.", errors=unknown_parameters(scope["query_string"]))
        content_type = headers.get(b"content-type", b"")
        media_type = intake.media_type(content_type.decode("latin-1"))
        if media_type is None:
            shown = content_type.decode("latin-1")[:60]
            said = f"not {shown!r}" if shown else "and say in Content-Type which it is"
            raise UnsupportedMediaType(f"Send {_TAKES}, {said}.")
        encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
        if encoding.lower() != "identity":
            raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r} is not read here. Send it uncompressed.")
        length = _length(headers)
        if length is not None and length > largest():
            raise TooLarge(
                f"It has {length >> 20} MiB; the most here is {largest() >> 20} MiB. Send several smaller ones."
            )
        if length:
            check_room(length)
        sender = Sender(caller.key, caller.user_id)
        return Sent(rules, sender, media_type, content_type, idempotency_key(headers), length, timezone.now())

    @contextlib.contextmanager
    def _place(self) -> Any:
        if self._arriving >= AT_ONCE:
            raise TooManyHeld(
                f"{AT_ONCE} deliveries arrive at this moment, which is the most. Send it again in a moment.",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def _store(self, sent: Sent, body: "Body") -> tuple[dict[str, Any], bool]:
        if sent.media_type == intake.FORMS:
            delivered = await self._form(sent, body)
        elif sent.media_type == intake.JSON_LINES:
            delivered = await self._lines(sent, body)
        else:
            delivered = await self._file(sent, body)
        return await self._threads.call(_receive, sent, delivered)

    async def _lines(self, sent: Sent, body: "Body") -> Delivered:
        with await self._run(Delivery, sent.rules, sent.media_type) as delivery:
            await self._pump(body, delivery.feed)
            return await self._run(delivery.finish)

    async def _file(self, sent: Sent, body: "Body") -> Delivered:
        with await self._run(Spool) as spool:
            await self._pump(body, spool.feed)
            return await self._run(_converted, sent, spool)

    async def _form(self, sent: Sent, body: "Body") -> Delivered:
        with IntakeForm(sent.rules, sent.content_type) as form:
            await self._pump(body, form.feed)
            return await self._run(form.finish)

    async def _pump(self, body: "Body", take: Callable[[bytes], None]) -> None:
        """All of the body through `take`, which runs in a thread: a block at a time, while the next one arrives."""
        taking: asyncio.Future[None] | None = None
        try:
            async for block in body.blocks():
                if taking is not None:
                    await taking
                taking = self._soon(take, block)
            if taking is not None:
                await taking
        finally:
            if taking is not None and not taking.done():
                await asyncio.wait([taking])  # it uses what is taken away now

    def _soon(self, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Its result, or what it raises; when this request is cancelled meanwhile, only after it has returned."""
        running = self._soon(function, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


class Body:
    """The body of a request as it arrives."""

    def __init__(self, receive: Receive) -> None:
        self._chunks = AsyncChunks(receive)
        self.is_begun = False
        self.is_over = False

    async def blocks(self) -> Any:
        """Pieces of BLOCK bytes or more, the last one of any size. Raises Disconnected, RequestTimeout."""
        parts: list[bytes] = []
        size = 0
        while (chunk := await self.next(SILENCE_SECONDS)) is not None:
            parts.append(chunk)
            size += len(chunk)
            if size >= BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
        if size:
            yield b"".join(parts)

    async def next(self, seconds: float) -> bytes | None:
        """The next piece; None at the end."""
        self.is_begun = True
        try:
            async with asyncio.timeout(seconds):
                return await anext(self._chunks)
        except StopAsyncIteration:
            self.is_over = True
            return None
        except TimeoutError:
            raise RequestTimeout(f"Nothing came for {seconds:g} s; nothing was stored. Send it again.") from None


async def _linger(answer: Answer, body: Body, send: Send) -> None:
    """Answers, and reads past what still comes: a client that only sends, and then listens, hears it, too."""
    headers = [pair for pair in answer.headers if pair[0] != b"connection"]
    headers += [(b"content-length", str(len(answer.body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    until = time.monotonic() + LINGER_SECONDS
    with contextlib.suppress(Disconnected, RequestTimeout):
        while (left := until - time.monotonic()) > 0 and await body.next(left) is not None:
            pass
    await send({"type": "http.response.body", "body": b""})


def _length(headers: dict[bytes, bytes]) -> int | None:
    text = headers.get(b"content-length", b"")
    return int(text[:20]) if text.isdigit() else None


def _rules(caller: Caller, organisation: str, name: str) -> Rules:
    """Raises NotFound, Forbidden, NotLearning."""
    if not access.may(caller, access.SEE, organisation):
        raise NotFound(f"There is no application {organisation}/{name}, or it is not yours.")
    if not access.may(caller, access.EXECUTE, organisation):
        raise Forbidden(f"You may see {organisation}/{name}, but not feed it.")
    application = applications.by_address(organisation, name)
    if application is None:
        raise NotFound(f"There is no application {organisation}/{name}, or it is not yours.")
    return intake.rules_of(application)


def _converted(sent: Sent, spool: Spool) -> Delivered:
    with Delivery(sent.rules, sent.media_type) as delivery:
        delivery.take_file(spool.file, spool.digest)
        return delivery.finish()


def _receive(sent: Sent, delivered: Delivered) -> tuple[dict[str, Any], bool]:
    batch, is_new = batches.receive(
        application_id=sent.rules.application_id,
        delivered=delivered,
        kind=batches.INTAKE,
        sender=sent.sender,
        idempotency_key=sent.key,
        same_within=sent.rules.same_within,
        now=timezone.now(),
    )
    return batches.view(batch), is_new
