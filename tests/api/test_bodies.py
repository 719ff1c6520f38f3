"""No more of a body is read than its operation takes, and archives only of somebody."""

from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync

from api.conftest import secret_of
from ovd_saas.api import bodies

RELEASES = "/api/v1/applications/acme/echo/releases"


async def ask(path: str, pieces: list[bytes], headers: dict[bytes, bytes] | None = None) -> tuple[int, Any, int]:
    """Status, problem, and how many bytes the application inside has read."""
    sent: list[dict[str, Any]] = []
    read = 0
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        nonlocal read
        while (message := await receive())["type"] == "http.request":
            read += len(message["body"])
            if not message["more_body"]:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"{}"})
                return

    scope = {"type": "http", "method": "POST", "path": path, "headers": list((headers or {}).items())}
    await bodies.Bounded(inner)(scope, receive, send)
    return sent[0]["status"], orjson.loads(sent[1]["body"]), read


async def test_a_body_that_turns_out_too_large_is_not_read_to_its_end() -> None:
    status, problem, read = await ask("/api/v1/tokens", [bytes(bodies.LARGEST), b"x", b"never read"])
    assert (status, problem["code"], read) == (413, "too_large", bodies.LARGEST)


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    length = {b"content-length": str(bodies.LARGEST + 1).encode()}
    assert (await ask("/api/v1/tokens", [b"x"], length))[::2] == (413, 0)


async def test_a_body_of_the_largest_size_is_read_whole() -> None:
    assert (await ask("/api/v1/tokens", [bytes(bodies.LARGEST)]))[::2] == (200, bodies.LARGEST)


@pytest.mark.django_db(transaction=True)
async def test_an_archive_is_read_only_from_somebody() -> None:
    for headers in ({}, {b"authorization": b"Bearer ovd_wrong"}, {b"authorization": b"Basic x"}):
        status, problem, read = await ask(RELEASES, [b"x"], headers)
        assert (status, problem["code"], read) == (401, "unauthorised", 0)


@pytest.mark.django_db(transaction=True)
def test_an_archive_of_a_token_that_opens_something_is_read() -> None:
    token = {b"authorization": f"Bearer {secret_of('author')}".encode()}
    assert async_to_sync(ask)(RELEASES, [bytes(bodies.LARGEST + 1)], token)[0] == 200
