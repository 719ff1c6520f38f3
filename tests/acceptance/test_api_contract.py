"""The HTTP API as a stranger meets it who has read its contract and nothing else: httpx, a token, and expectations."""

import base64
import hashlib
import io
import socket
import struct
import tarfile
import time
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlparse

import httpx
import pytest
from platforms import APPS, Platform, until
from stranger import BASE, problem, sent

ECHO, SLOW, IMAGE = (f"{BASE}/applications/demo/{name}" for name in ("echo", "slow", "image-size"))
EXECUTION = {
    "id", "application", "status", "inputs", "outputs", "error", "release", "model", "digests", "seed", "created_at",
    "started_at", "finished_at", "seconds", "progress", "cause",
}  # fmt: skip
APPLICATION = {
    "org", "name", "title", "status", "health", "phase", "service", "learning", "reason", "since", "next", "release",
    "model", "upstream", "url",
}  # fmt: skip
JSON = {"Content-Type": "application/json"}

NOBODY = "00000000-0000-7000-8000-000000000000"  # an id that no execution has


def png(colour: int = 1) -> bytes:
    """3 × 2 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([colour]) * 9) * 2
    header = struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = png()
INLINE = base64.b64encode(PICTURE).decode()


@pytest.fixture(scope="module")
def http(platform: Platform) -> Iterator[httpx.Client]:
    platform.push(APPS / "image-size")
    with platform.http() as client:
        yield client


def execute(http: httpx.Client, to: str, inputs: dict[str, Any], **headers: str) -> httpx.Response:
    return http.post(f"{to}/executions", json={"inputs": inputs}, headers=headers)


def events(http: httpx.Client, id_: str, after: int | None = None, most: int = 10_000) -> list[tuple[int, str, Any]]:
    return sent(http, f"{BASE}/executions/{id_}/events", after, most)


# Executing


def test_an_execution_has_the_documented_fields_and_reads_the_same_everywhere(http: httpx.Client) -> None:
    answer = http.post(f"{ECHO}/executions", json={"inputs": {"message": "hi", "times": 2}, "seed": 7})
    made = answer.json()
    assert answer.status_code == 201 and set(made) >= EXECUTION
    assert (made["status"], made["outputs"], made["seed"]) == ("succeeded", {"result": "hihi"}, 7)
    assert answer.headers["location"] == f"{BASE}/executions/{made['id']}"
    assert http.get(answer.headers["location"]).json() == made
    assert http.get(f"{ECHO}/executions?limit=1").json()["items"] == [made]


def test_a_client_may_wait_for_the_end_or_not(http: httpx.Client) -> None:
    later = execute(http, SLOW, {"seconds": 0.2}, Prefer="respond-async")
    assert later.status_code == 202 and later.json()["status"] in ("queued", "running")
    began = time.monotonic()
    short = execute(http, SLOW, {"seconds": 3}, Prefer="wait=1")
    assert short.status_code == 202 and 0.9 < time.monotonic() - began < 2.5
    for one in (later, short):
        until(lambda one=one: http.get(one.headers["location"]).json()["status"] == "succeeded")  # type: ignore[misc]
    assert execute(http, SLOW, {"seconds": 0.2}, Prefer="wait=20").status_code == 201


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=soon", "wait=1.5", "wait="])
def test_a_wait_that_is_no_number_of_seconds_is_refused(http: httpx.Client, prefer: str) -> None:
    assert "wait" in problem(execute(http, ECHO, {"message": "x"}, Prefer=prefer), 400)["detail"]


def test_the_same_key_runs_once_also_when_many_ask_at_once(http: httpx.Client) -> None:
    key = uuid.uuid4().hex
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(execute, http, SLOW, {"seconds": 0.5, "steps": 2}, **{"Idempotency-Key": key}) for _ in range(8)
        ]
        answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = execute(http, SLOW, {"seconds": 0.1}, **{"Idempotency-Key": key})
    problem(other, 422, "idempotency_key_reused")


BAD_BODIES = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"inputs": {"message": NaN}}', b'{"inputs": "x"}',
              b"[" * 100_000, b'{"inputs":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"inputs": {"message": "\\ud800"}}',
              b'{"inputs": {"message": "a\\u0000b"}}', b'{"inputs": {"times": ' + b"9" * 5000 + b"}}"]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:30]))
def test_a_body_that_makes_no_sense_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = http.post(f"{ECHO}/executions", content=body, headers=JSON)
    problem(answer, 400 if answer.status_code == 400 else 422)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "inputs"),
        ({"inputs": {}}, "message"),
        ({"inputs": {"message": 5}}, "message"),
        ({"inputs": {"message": None}}, "message"),
        ({"inputs": {"message": "x" * 100_001}}, "message"),
        ({"inputs": {"message": "x", "times": 0}}, "times"),
        ({"inputs": {"message": "x", "times": 11}}, "times"),
        ({"inputs": {"message": "x", "times": 1.5}}, "times"),
        ({"inputs": {"message": "x", "times": "2"}}, "times"),
        ({"inputs": {"message": "x", "times": True}}, "times"),
        ({"inputs": {"message": "x", "mesage": "y"}}, "mesage"),
        ({"inputs": {"message": "x"}, "sed": 1}, "sed"),
        ({"inputs": {"message": "x"}, "seed": -1}, "seed"),
        ({"inputs": {"message": "x"}, "seed": 2**53}, "seed"),
        ({"inputs": {"message": "x"}, "deadline": "tomorrow"}, "deadline"),
        ({"inputs": {"message": "x"}, "deadline": "2020-01-01T00:00:00Z"}, "deadline"),
        ({"inputs": {"message": "x"}, "deadline": "2999-01-01T00:00:00"}, "deadline"),
        ({"inputs": {"message": "x"}, "deadline": "9999-12-31T23:59:59-23:59"}, "deadline"),
    ],
)
def test_each_wrong_input_is_named(http: httpx.Client, body: dict[str, Any], field: str) -> None:
    problem(http.post(f"{ECHO}/executions", json=body), 422, "invalid", field)


def test_all_that_is_wrong_is_told_at_once(http: httpx.Client) -> None:
    found = problem(execute(http, ECHO, {"message": 1, "times": 99, "colour": "red"}), 422, "invalid")
    assert {error["field"] for error in found["errors"]} == {"message", "times", "colour"}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_another_media_type_is_415(http: httpx.Client, kind: str) -> None:
    body, headers = b'{"inputs": {"message": "x"}}', {"Content-Type": kind}
    problem(http.post(f"{ECHO}/executions", content=body, headers=headers), 415, "unsupported_media_type")
    problem(http.patch(ECHO, content=b"{}", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 500}"])
def test_a_multipart_body_that_cannot_be_read_is_400(http: httpx.Client, kind: str) -> None:
    problem(http.post(f"{IMAGE}/executions", content=b"--x\r\n", headers={"Content-Type": kind}), 400, "bad_request")
    problem(http.post(f"{IMAGE}/releases", content=b"--x\r\n", headers={"Content-Type": kind}), 400, "bad_request")


# Files


@pytest.mark.parametrize(
    "request_",
    [
        {"files": {"photo": ("a.png", PICTURE, "image/png")}},
        {"files": {"inputs": (None, "{}", "application/json"), "seed": (None, "7"), "photo": ("a.png", PICTURE)}},
        {"json": {"inputs": {"photo": {"name": "a.png", "media_type": "image/png", "data": INLINE}}}},
        {"json": {"inputs": {"photo": f"data:image/png;base64,{INLINE}"}}},
    ],
    ids=["part", "parts", "base64", "data URI"],
)
def test_a_file_comes_in_each_documented_way_and_its_bytes_come_back(http: httpx.Client, request_: Any) -> None:
    made = http.post(f"{IMAGE}/executions", **request_)
    assert made.status_code == 201, made.text
    assert made.json()["outputs"]["width"] == 3
    for file in (made.json()["inputs"]["photo"], made.json()["outputs"]["copy"]):
        assert set(file) == {"name", "media_type", "size", "digest", "url"}
        assert file["digest"] == f"sha256:{hashlib.sha256(PICTURE).hexdigest()}"
        fetched = http.get(file["url"])
        assert fetched.content == PICTURE and fetched.headers["content-type"] == "image/png"
        assert http.get(file["url"], headers={"If-None-Match": fetched.headers["etag"]}).status_code == 304
        assert http.get(file["url"], headers={"Range": "bytes=1-3"}).content == b"PNG"
        assert httpx.get(f"{http.base_url}{file['url']}").status_code == 401


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"files": {"photo": ("a.png", b"a text, not a picture", "image/png")}}, "photo"),
        ({"files": {"photo": ("a.png", b"", "image/png")}}, "photo"),
        ({"files": {"photo": ("a.png", PICTURE + bytes(2 << 20), "image/png")}}, "photo"),
        ({"files": {"photo": ("a.png", PICTURE), "extra": ("b", b"x")}}, "extra"),
        ({"files": [("photo", ("a.png", PICTURE)), ("photo", ("b.png", PICTURE))]}, "photo"),
        ({"files": {"inputs": (None, "{}")}}, "photo"),
        ({"files": {"inputs": (None, "[]"), "photo": ("a.png", PICTURE)}}, "inputs"),
        ({"files": {"seed": (None, "-1"), "photo": ("a.png", PICTURE)}}, "seed"),
        ({"json": {"inputs": {"photo": 5}}}, "photo"),
        ({"json": {"inputs": {"photo": "https://example.org/a.png"}}}, "photo"),
        ({"json": {"inputs": {"photo": {"name": "a.png", "media_type": "image/png", "data": "!"}}}}, "photo"),
        ({"json": {"inputs": {"photo": {"name": "a", "size": 1, "digest": "sha256:" + "0" * 64}}}}, "photo"),
        ({"json": {"inputs": {"photo": "data:text/plain,hello"}}}, "photo"),
    ],
)
def test_a_wrong_file_is_named(http: httpx.Client, request_: Any, field: str) -> None:
    problem(http.post(f"{IMAGE}/executions", **request_), 422, "invalid", field)


def test_what_is_taken_down_keeps_its_provenance_and_gives_no_bytes(http: httpx.Client) -> None:
    made = http.post(f"{IMAGE}/executions", files={"photo": ("a.png", png(9))}).json()
    place = f"{BASE}/executions/{made['id']}"
    assert http.delete(place).status_code == 204
    left = http.get(place).json()
    kept = ("id", "application", "status", "release", "digests", "seed", "created_at", "finished_at", "cause")
    assert {name: left[name] for name in kept} == {name: made[name] for name in kept}
    assert (left["inputs"], left["outputs"]) == ({}, None) and left["taken_down_at"]
    for file in (made["inputs"]["photo"], made["outputs"]["copy"]):
        problem(http.get(file["url"]), 404, "not_found")
    assert [kind for _, kind, _ in events(http, made["id"]) if kind in ("log", "output")] == []


# Events and cancelling


def test_events_resume_after_a_disconnect_without_a_gap_or_a_double(http: httpx.Client) -> None:
    id_ = execute(http, SLOW, {"seconds": 1.5, "steps": 5}, Prefer="respond-async").json()["id"]
    first = events(http, id_, most=4)
    rest = events(http, id_, after=first[-1][0])
    whole = events(http, id_)
    assert first + rest == whole
    assert {kind for _, kind, _ in whole} == {"status", "progress", "log", "output", "done"}
    assert [id_ for id_, _, _ in whole] == sorted({id_ for id_, _, _ in whole})
    assert whole[-1][1] == "done" and whole[-1][2] == http.get(f"{BASE}/executions/{id_}").json()
    over = http.get(f"{BASE}/executions/{id_}/events", headers={"Last-Event-ID": str(whole[-1][0])})
    assert over.status_code == 204
    for wrong in ("x", "-1", "9" * 30):
        answer = http.get(f"{BASE}/executions/{id_}/events", headers={"Last-Event-ID": wrong})
        problem(answer, 422, "invalid", "Last-Event-ID")


def test_an_execution_goes_on_when_its_client_hangs_up(http: httpx.Client) -> None:
    seed = int.from_bytes(uuid.uuid4().bytes[:6])
    with pytest.raises(httpx.ReadTimeout):
        http.post(f"{SLOW}/executions", json={"inputs": {"seconds": 1}, "seed": seed}, timeout=0.4)

    def last() -> Any:
        return next((one for one in http.get(f"{SLOW}/executions").json()["items"] if one["seed"] == seed), None)

    until(lambda: (last() or {}).get("status") == "succeeded")


def test_an_execution_is_cancelled_once_and_taken_down_only_when_it_is_over(http: httpx.Client) -> None:
    place = execute(http, SLOW, {"seconds": 30}, Prefer="respond-async").headers["location"]
    problem(http.delete(place), 409, "not_finished")
    assert http.post(f"{place}/cancel").json()["status"] == "cancelled"
    problem(http.post(f"{place}/cancel"), 409, "already_finished")
    assert http.delete(place).status_code == 204


# Applications and lists


def test_an_application_has_the_documented_fields_and_changes_by_patch(http: httpx.Client) -> None:
    found = http.get(ECHO).json()
    assert set(found) >= APPLICATION and found["phase"] in ("idle", "learning", "executing")
    assert http.patch(ECHO, json={"title": "Echo ☕"}).json()["title"] == "Echo ☕"
    assert http.patch(ECHO, json={"title": "Echo"}).json()["title"] == "Echo"
    for body, field in [({"title": ""}, "title"), ({"title": "x" * 201}, "title"), ({"title": 5}, "title"),
                        ({"title": "a\0b"}, "title"), ({"status": "retired"}, "status")]:  # fmt: skip
        problem(http.patch(ECHO, json=body), 422, "invalid", field)


def test_a_draft_lives_and_refuses_what_its_state_does_not_allow(http: httpx.Client) -> None:
    name = f"draft-{uuid.uuid4().hex[:8]}"
    made = http.post(f"{BASE}/applications", json={"org": "demo", "name": name})
    assert made.status_code == 201 and made.json()["status"] == "draft"
    place = made.headers["location"]
    problem(http.post(f"{BASE}/applications", json={"org": "demo", "name": name}), 409, "name_taken")
    for action in ("wake", "sleep", "suspend", "enable"):
        problem(http.post(f"{place}/actions/{action}"), 409, "not_allowed")
    problem(http.post(f"{place}/executions", json={"inputs": {}}), 409, "not_accepting")
    retired = http.post(f"{place}/actions/retire").json()
    assert retired["status"] == "retired" and retired["next"]["what"].startswith("Nothing")
    problem(http.post(f"{place}/actions/explode"), 422, "invalid", "action")


@pytest.mark.parametrize("name", ["", "a", "A-b", "1st", "-a", "a-", "a b", "a" * 41, "é" * 3, "ab\n"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(http: httpx.Client, name: str) -> None:
    problem(http.post(f"{BASE}/applications", json={"org": "demo", "name": name}), 422, "bad_name", "name")


@pytest.mark.parametrize("what", ["applications", "executions", "timeline"])
def test_a_list_is_read_page_by_page_without_a_gap_or_a_double(http: httpx.Client, what: str) -> None:
    place = f"{BASE}/applications" if what == "applications" else f"{ECHO}/{what}"
    for _ in range(3):
        execute(http, ECHO, {"message": "x"})
    seen: list[str] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        page = http.get(place, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert set(page) == {"items", "next"} and len(page["items"]) <= 2
        seen += [one.get("id") or one["name"] for one in page["items"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) >= 3


def _cursor(text: str) -> str:
    return "cursor=" + base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=201", "limit=x", "limit=1.5", "limit=" + "9" * 30, "cursor=", "cursor=%00",
     "cursor=" + "A" * 600, _cursor("[true]"), _cursor("[1e400]"), _cursor("[" * 300), _cursor("[NaN]"),
     _cursor('["9999-12-31T23:59:59-23:00", "00000000-0000-0000-0000-000000000000"]'), "colour=red"],
)  # fmt: skip
def test_a_wrong_page_is_refused_and_its_parameter_named(http: httpx.Client, query: str) -> None:
    for what in ("executions", "releases", "timeline"):
        answer = http.get(f"{ECHO}/{what}?{query}")
        problem(answer, 422, "invalid", query.partition("=")[0])


# Releases


def tar_gz(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"archive": ("a", b"")},
        {"archive": ("a", b"no archive")},
        {"archive": ("a", tar_gz(app__py=b""))},
        {"archive": ("a", tar_gz(ovd__toml=b"name = "))},
        {"archive": ("a", tar_gz(ovd__toml=b'name = "\xff"'))},
        {"archive": ("a", tar_gz(ovd__toml=b'name = "other"'))},
        {"archive": ("a", tar_gz(ovd__toml=b'name = ["flow"]'))},
        {"archive": ("a", tar_gz(ovd__toml=b'name = "flow"\na = ' + b"[" * 5000))},
        {"archive": ("a", tar_gz(ovd__toml=b"#" * 2_000_000))},
        {"archive": ("a", tar_gz(ovd__toml=b'name = "flow"')), "more": ("b", b"x")},
        {"archive": (None, b"a field, not a file")},
    ],
)
def test_an_archive_that_is_no_application_is_refused(http: httpx.Client, files: Any) -> None:
    found = problem(http.post(f"{BASE}/applications/demo/flow/releases", files=files), 422)
    assert found["code"] in ("invalid", "bad_archive") and found["errors"]
    problem(http.get(f"{BASE}/applications/demo/flow"), 404, "not_found")


def test_a_release_that_does_not_build_says_why(http: httpx.Client) -> None:
    name = f"broken-{uuid.uuid4().hex[:6]}"
    archive = tar_gz(ovd__toml=f'name = "{name}"\ntitle = ["x"]'.encode())
    pushed = http.post(f"{BASE}/applications/demo/{name}/releases", files={"archive": ("a.tar.gz", archive)})
    assert pushed.status_code == 202 and pushed.json()["status"] == "building"
    place = pushed.headers["location"]
    failed = until(lambda: (one := http.get(place).json())["status"] != "building" and one)
    assert failed["status"] == "failed" and "title" in failed["error"] + failed["log"]
    assert http.get(f"{BASE}/applications/demo/{name}").json()["status"] == "draft"


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (f"{ECHO}/releases", "multipart/form-data; boundary=x"),
        (f"{ECHO}/executions", "application/json"),
        (f"{IMAGE}/executions", "multipart/form-data; boundary=x"),
        (f"{BASE}/tokens", "application/json"),
    ],
)
def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(
    http: httpx.Client, platform: Platform, place: str, kind: str
) -> None:
    url = urlparse(platform.up["url"])
    head = f"POST {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {platform.up['token']}\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(f"{head}Content-Type: {kind}\r\nContent-Length: 99999999999\r\n\r\n".encode())
        assert connection.recv(200).startswith(b"HTTP/1.1 413 ")


# The platform


def test_the_platform_tells_about_itself(http: httpx.Client) -> None:
    health = httpx.get(f"{http.base_url}{BASE}/health")
    assert health.status_code == 200
    assert all(health.json()[part]["status"] == "ok" for part in ("database", "appcore", "runner"))
    assert set(http.get(f"{BASE}/me").json()) == {"user", "organisations", "roles"}
    assert http.get(f"{BASE}/runners").json()["items"][0]["is_up"]
    assert "# TYPE ovd_applications gauge" in http.get("/metrics").text
    assert http.get(f"{BASE}/docs").headers["content-type"].startswith("text/html")


def test_the_document_describes_every_address_that_is_offered(http: httpx.Client) -> None:
    document = http.get(f"{BASE}/openapi.json").json()
    assert document["openapi"].startswith("3.")
    described = {(path.removeprefix(BASE), method) for path, methods in document["paths"].items() for method in methods}
    a = "/applications/{org}/{name}"
    assert described >= {
        ("/health", "get"), ("/me", "get"), ("/applications", "get"), ("/applications", "post"), (a, "get"),
        (a, "patch"), (f"{a}/actions/{{action}}", "post"), (f"{a}/releases", "post"), (f"{a}/releases", "get"),
        (f"{a}/executions", "post"), (f"{a}/executions", "get"), (f"{a}/timeline", "get"), (f"{a}/triggers", "get"),
        (f"{a}/intake", "post"), (f"{a}/batches", "get"), (f"{a}/notify", "post"), (f"{a}/learning-runs", "get"),
        (f"{a}/learning-runs", "post"), (f"{a}/models", "get"), (f"{a}/models/live", "get"),
        (f"{a}/models/rollback", "post"), (f"{a}/models/{{number}}/promote", "post"), (f"{a}/drift", "get"),
        ("/learning-runs/{run_id}", "get"), ("/learning-runs/{run_id}/events", "get"),
        ("/learning-runs/{run_id}/cancel", "post"), ("/runners", "get"),
    }  # fmt: skip


@pytest.mark.parametrize("token", ["", "Bearer nope", "Bearer ovd_" + "x" * 40, "Basic YTpi", "Bearer " + "x" * 8000])
def test_without_a_good_token_every_door_answers_401(http: httpx.Client, token: str) -> None:
    with httpx.Client(base_url=http.base_url, headers={"Authorization": token} if token else {}) as stranger:
        for answer in (
            stranger.get(f"{BASE}/me"),
            stranger.patch(ECHO, json={"title": "x"}),
            stranger.post(f"{ECHO}/executions", json={"inputs": {"message": "x"}}),
            stranger.post(f"{ECHO}/releases", files={"archive": ("a", b"x")}),
            stranger.post(f"{ECHO}/learning-runs", json={}),
            stranger.post(f"{ECHO}/models/rollback", json={}),
        ):
            problem(answer, 401, "unauthorised")
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_session_that_is_not_one_is_401(http: httpx.Client) -> None:
    with httpx.Client(base_url=http.base_url, cookies={"sessionid": "nobody"}) as stranger:
        problem(stranger.patch(ECHO, json={"title": "x"}), 401, "unauthorised")
        problem(stranger.post(f"{ECHO}/executions", json={"inputs": {}}), 401, "unauthorised")


def test_the_session_of_the_panel_needs_its_csrf_token(http: httpx.Client, platform: Platform) -> None:
    with httpx.Client(base_url=http.base_url, follow_redirects=True) as browser:
        browser.get("/login/")
        form = {"username": platform.up["user"], "password": platform.up["password"]}
        signed_in = browser.post(
            "/login/",
            data={**form, "csrfmiddlewaretoken": browser.cookies["csrftoken"]},
            headers={"Referer": f"{http.base_url}/login/"},
        )
        assert signed_in.is_success and browser.get(f"{BASE}/me").is_success
        csrf = {"X-CSRFToken": browser.cookies["csrftoken"]}
        problem(browser.patch(ECHO, json={}), 403, "csrf_failed")
        problem(execute(browser, ECHO, {"message": "x"}), 403, "csrf_failed")
        assert browser.patch(ECHO, json={}, headers=csrf).status_code == 200
        assert execute(browser, ECHO, {"message": "x"}, **csrf).status_code == 201


NOWHERE = [
    "/nothing", "/applications/", "/applications/demo", "/applications/demo/nope", "/applications/nobody/echo",
    "/applications/demo/%00", "/applications/demo/%ff", "/applications/..%2f..%2fetc/x", "/executions/1",
    f"/executions/{NOBODY}", f"/executions/{NOBODY}/events", f"/executions/{NOBODY}/files/sha256:0",
    "/executions/" + "9" * 5000, "/applications/demo/echo/releases/99", "/applications/demo/echo/releases/" + "9" * 30,
    "/applications/demo/echo/releases/-1", "/applications/demo/echo/executions/", f"/learning-runs/{NOBODY}",
    f"/learning-runs/{NOBODY}/log", f"/learning-runs/{NOBODY}/events", "/learning-runs/1",
    "/applications/demo/echo/models/1", "/applications/demo/echo/models/" + "9" * 30,
    "/applications/demo/echo/models/1/archive", "/applications/demo/echo/models/-1",
    "/applications/demo/nope/models/live", "/applications/demo/echo/batches/1",
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:50])
def test_what_is_not_there_is_404(http: httpx.Client, path: str) -> None:
    assert len(problem(http.get(BASE + path), 404, "not_found")["detail"]) < 500


@pytest.mark.parametrize("path", ["/me", "/health", "/docs", "/openapi.json", "/applications/demo/echo/timeline"])
def test_another_method_is_405_and_those_that_are_taken_are_named(http: httpx.Client, path: str) -> None:
    for method in ("PUT", "DELETE", "POST"):
        answer = http.request(method, BASE + path)
        problem(answer, 405, "method_not_allowed")
        assert "GET" in answer.headers["allow"]
