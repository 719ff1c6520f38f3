"""Reading answers of the API in tests."""

import json
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """One server-sent event."""

    id: int
    kind: str
    body: Any


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer, after checking that it is one of exactly this shape."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(response.content)
    assert set(found) == {"type", "title", "status", "code", "detail", "errors"}
    assert found["status"] == status
    assert found["code"] == code
    assert found["detail"]
    assert all(set(error) == {"field", "message"} for error in found["errors"])
    return found


def events(text: str) -> list[Sent]:
    """The events in the text of a stream; comments and `retry` are not events."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "event" in lines:
            found.append(Sent(int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found
