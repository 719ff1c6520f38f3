"""Executions through the API: lists, one, cancelling, taking down, and the bytes of files."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from api.making import make_execution
from api.reading import problem
from ovd_saas.files import store
from ovd_saas.store.records import Application, Execution

A = "/api/v1/applications/acme/echo"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
FIELDS = {
    "id", "application", "status", "inputs", "outputs", "error", "release", "model", "digests", "seed", "created_at",
    "started_at", "finished_at", "seconds", "progress", "cause",
}  # fmt: skip


def file(data: bytes = PNG, name: str = "coins.png", media_type: str = "image/png") -> dict[str, Any]:
    return {"name": name, "media_type": media_type, "size": len(data), "digest": store.put(data)}


def body(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return async_to_sync(read)()


def test_an_execution_says_everything_about_itself(owner: Client, finished: Execution) -> None:
    found = owner.get(f"/api/v1/executions/{finished.pk}").json()
    assert set(found) >= FIELDS
    assert (found["id"], found["application"], found["release"]) == (str(finished.pk), "acme/echo", 1)
    assert found["created_at"].endswith("Z")


def test_an_execution_that_is_not_there_is_404(owner: Client) -> None:
    problem(owner.get(f"/api/v1/executions/{uuid4()}"), 404, "not_found")
    problem(owner.get("/api/v1/executions/7"), 404, "not_found")


def test_pages_hold_everything_once_newest_first(owner: Client, echo: Application) -> None:
    start = timezone.now()
    made = [make_execution(echo, created_at=start + timedelta(seconds=number // 2)) for number in range(7)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = owner.get(f"{A}/executions", {"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [row["id"] for row in page["items"]]
        cursor = page["next"]
        make_execution(echo, created_at=timezone.now() + timedelta(days=1))  # arrives meanwhile, shifts nothing
    assert found == [str(row.pk) for row in reversed(made)]


def test_a_list_can_be_of_some_states_only(owner: Client, echo: Application) -> None:
    for status in ("succeeded", "failed", "queued"):
        make_execution(echo, status=status)
    page = owner.get(f"{A}/executions", {"status": ["failed", "queued"]}).json()
    assert {row["status"] for row in page["items"]} == {"failed", "queued"}
    found = problem(owner.get(f"{A}/executions", {"status": "broken"}), 422, "invalid")
    assert found["errors"][0]["field"].startswith("status")


def test_the_place_in_the_queue_is_fair_and_visible(owner: Client, echo: Application) -> None:
    start = timezone.now()
    queued = [
        make_execution(echo, status="queued", caller=caller, created_at=start + timedelta(seconds=number))
        for number, caller in enumerate(["user:1", "user:1", "user:2"])
    ]
    places = {row["id"]: row["queue_position"] for row in owner.get(f"{A}/executions").json()["items"]}
    assert [places[str(row.pk)] for row in queued] == [1, 3, 2]
    assert owner.get(f"/api/v1/executions/{queued[1].pk}").json()["queue_position"] == 3


def test_cancelling_ends_what_waits_and_is_a_conflict_afterwards(owner: Client, echo: Application) -> None:
    queued = make_execution(echo, status="queued", finished_at=None)
    path = f"/api/v1/executions/{queued.pk}/cancel"
    found = owner.post(path).json()
    assert found["status"] == "cancelled"
    assert found["error"]["code"] == "cancelled"
    problem(owner.post(path), 409, "already_finished")


def test_what_is_taken_down_keeps_its_provenance_only(owner: Client, echo: Application) -> None:
    photo = file()
    digests = {"inputs": "sha256:" + "1" * 64}
    made = make_execution(echo, inputs={"photo": photo}, log="hello", digests=digests)
    path = f"/api/v1/executions/{made.pk}"
    assert owner.delete(path).status_code == 204
    found = owner.get(path).json()
    assert (found["inputs"], found["outputs"]) == ({}, None)
    assert (found["digests"], found["seed"], found["status"]) == (digests, 7, "succeeded")
    problem(owner.get(f"{path}/files/{photo['digest']}"), 404, "not_found")
    assert owner.delete(path).status_code == 204


def test_what_is_not_finished_cannot_be_taken_down(owner: Client, echo: Application) -> None:
    queued = make_execution(echo, status="queued", finished_at=None)
    problem(owner.delete(f"/api/v1/executions/{queued.pk}"), 409, "not_finished")


def test_a_file_comes_with_its_name_and_may_do_nothing_in_a_browser(owner: Client, echo: Application) -> None:
    made = make_execution(echo, inputs={"photo": file(name="münzen.png")})
    url = owner.get(f"/api/v1/executions/{made.pk}").json()["inputs"]["photo"]["url"]
    answer = owner.get(url)
    assert body(answer) == PNG
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Length"] == str(len(PNG))
    assert answer["Content-Disposition"] == "inline; filename*=utf-8''m%C3%BCnzen.png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/pdf", "te\r\nxt/html", ""])
def test_what_a_browser_might_run_is_a_download(owner: Client, echo: Application, media_type: str) -> None:
    page = file(b"<script>alert(1)</script>", 'a"b\r\nc.html', media_type)
    made = make_execution(echo, outputs={"page": page})
    answer = owner.get(f"/api/v1/executions/{made.pk}/files/{page['digest']}")
    assert answer["Content-Disposition"].startswith("attachment; ")
    assert answer["Content-Type"] in (media_type, "application/octet-stream")


def test_only_files_of_this_execution_are_given(owner: Client, echo: Application) -> None:
    mine, other = make_execution(echo, inputs={"photo": file()}), make_execution(echo)
    digest = mine.inputs["photo"]["digest"]
    problem(owner.get(f"/api/v1/executions/{other.pk}/files/{digest}"), 404, "not_found")
    problem(owner.get(f"/api/v1/executions/{mine.pk}/files/sha256:{'0' * 64}"), 404, "not_found")
    problem(owner.get(f"/api/v1/executions/{mine.pk}/files/..%2f..%2fetc"), 404, "not_found")


def test_bytes_that_are_gone_are_404(owner: Client, echo: Application) -> None:
    made = make_execution(echo, inputs={"photo": file()})
    digest = made.inputs["photo"]["digest"]
    store.remove(digest)
    problem(owner.get(f"/api/v1/executions/{made.pk}/files/{digest}"), 404, "not_found")


@pytest.mark.parametrize(
    ("wanted", "expected", "content_range"),
    [
        ("bytes=0-9", PNG[:10], f"bytes 0-9/{len(PNG)}"),
        ("bytes=100-", PNG[100:], f"bytes 100-{len(PNG) - 1}/{len(PNG)}"),
        ("bytes=-5", PNG[-5:], f"bytes {len(PNG) - 5}-{len(PNG) - 1}/{len(PNG)}"),
        ("bytes=10-999999", PNG[10:], f"bytes 10-{len(PNG) - 1}/{len(PNG)}"),
    ],
)
def test_a_part_of_a_file(owner: Client, echo: Application, wanted: str, expected: bytes, content_range: str) -> None:
    made = make_execution(echo, inputs={"photo": file()})
    answer = owner.get(
        f"/api/v1/executions/{made.pk}/files/{made.inputs['photo']['digest']}", headers={"Range": wanted}
    )
    assert answer.status_code == 206
    assert body(answer) == expected
    assert answer["Content-Range"] == content_range
    assert answer["Content-Length"] == str(len(expected))


def test_a_part_behind_the_end_is_416_and_odd_ranges_are_ignored(owner: Client, echo: Application) -> None:
    made = make_execution(echo, inputs={"photo": file()})
    path = f"/api/v1/executions/{made.pk}/files/{made.inputs['photo']['digest']}"
    problem(owner.get(path, headers={"Range": "bytes=99999-"}), 416, "range_not_satisfiable")
    assert owner.get(path, headers={"Range": "bytes=0-1,5-6"}).status_code == 200


def test_a_file_that_the_client_has_is_304(owner: Client, echo: Application) -> None:
    made = make_execution(echo, inputs={"photo": file()})
    path = f"/api/v1/executions/{made.pk}/files/{made.inputs['photo']['digest']}"
    etag = owner.get(path)["ETag"]
    assert owner.get(path, headers={"If-None-Match": etag}).status_code == 304
