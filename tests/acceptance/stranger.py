"""What a stranger to our code expects of every answer of the HTTP API who has read its contract and nothing else."""

import json
from typing import Any

import httpx

BASE = "/api/v1"


def problem(answer: httpx.Response, status: int, code: str = "", field: str = "") -> dict[str, Any]:
    """The RFC 9457 document of a refusal, checked."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert set(found) == {"type", "title", "status", "code", "detail", "errors"}
    assert found["status"] == status
    assert code in ("", found["code"]), found
    assert found["detail"][-1] in ".!?…" and "Traceback" not in found["detail"], found
    assert all(set(error) == {"field", "message"} and error["message"] for error in found["errors"])
    assert not field or field in [error["field"] for error in found["errors"]], found
    return found


def sent(http: httpx.Client, path: str, after: int | None = None, most: int = 10_000) -> list[tuple[int, str, Any]]:
    """The server-sent events of a stream as `(id, event, data)`, until it ends, or `most` of them and then hang up."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    found: list[tuple[int, str, Any]] = []
    with http.stream("GET", path, headers=headers) as stream:
        block: dict[str, str] = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                block[name] = value
            elif "data" in block:
                found.append((int(block["id"]), block["event"], json.loads(block["data"])))
                if len(found) == most:
                    break
            block = {} if not line else block
    return found
