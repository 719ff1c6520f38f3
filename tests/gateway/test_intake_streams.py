"""The intake while bytes travel: early refusals, clients that vanish, full disks, large bodies and flat memory."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings

import makers
from gateway.stage import Stage, until
from gateway.test_intake import FLOW, GOOD, LINES, nothing_is_left, send
from ovd_saas.appcore import intake_spool
from ovd_saas.gateway import intake
from ovd_saas.store.records import Application, Batch

HEAD = b'{"flow": 1, "at": "2022-03-01"}\n'


@pytest.fixture
def flow(stage: Stage) -> Application:
    return makers.learning_application()


@contextlib.contextmanager
def connected(stage: Stage, length: int, *more: str, kind: str = LINES, path: str = FLOW) -> Iterator[socket.socket]:
    """A request of so many bytes whose head was sent."""
    host, port = stage.serving.listening.getsockname()
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {stage.token}",
            f"Content-Type: {kind}", f"Content-Length: {length}", *more]  # fmt: skip
    with socket.create_connection((host, port), timeout=20) as peer:
        peer.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        yield peer


def said(peer: socket.socket) -> bytes:
    """All that comes until the end of a first answer's head and body."""
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.rstrip().endswith(b"}"):
        piece = peer.recv(65536)
        if not piece:
            break
        answer += piece
    return answer


def test_a_client_that_asks_whether_to_go_on_is_told_so(stage: Stage, flow: Application) -> None:
    with connected(stage, len(GOOD), "Expect: 100-continue") as peer:
        assert peer.recv(100).startswith(b"HTTP/1.1 100 Continue")
        peer.sendall(GOOD)
        assert b" 201 Created" in said(peer)


@pytest.mark.parametrize(
    ("kind", "path", "length", "status"),
    [
        ("text/plain", FLOW, 10**9, b"415"),
        (LINES, "/api/v1/applications/acme/none/intake", 10**9, b"404"),
        (LINES, FLOW, 10**12, b"413"),
    ],
)
def test_who_asks_first_is_refused_without_sending_anything(
    stage: Stage, flow: Application, kind: str, path: str, length: int, status: bytes
) -> None:
    with connected(stage, length, "Expect: 100-continue", kind=kind, path=path) as peer:
        answer = said(peer)
        assert answer.split()[1] == status and b"application/problem+json" in answer


def test_a_body_that_is_refused_early_is_answered_at_once_and_read_past(stage: Stage, flow: Application) -> None:
    with connected(stage, 64 << 20, kind="text/plain") as peer:
        assert b" 415 " in said(peer)  # before anything of the body came
        for _ in range(64):
            peer.sendall(b"x" * (1 << 20))
        assert peer.recv(1) == b""


def test_a_client_that_sends_all_and_then_listens_hears_the_refusal(stage: Stage, flow: Application) -> None:
    assert send(stage, b"x" * (32 << 20), "text/plain").status_code == 415


def test_a_client_that_vanishes_leaves_nothing(stage: Stage, flow: Application) -> None:
    for kind in (LINES, "text/csv", "multipart/form-data; boundary=x"):
        with connected(stage, 10 << 20, kind=kind) as peer:
            start = (
                b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n' if "form" in kind else b""
            )
            peer.sendall(start + HEAD * 100_000)
        until(nothing_is_left)


def test_a_client_that_falls_silent_is_not_waited_for(
    stage: Stage, flow: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(intake, "LINGER_SECONDS", 0.2)
    with connected(stage, 1000) as peer:
        peer.sendall(HEAD)
        assert b" 408 " in said(peer)
    assert nothing_is_left()


def test_as_many_as_may_arrive_at_once_and_no_more(
    stage: Stage, flow: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "AT_ONCE", 1)
    with connected(stage, len(GOOD)) as peer:
        peer.sendall(GOOD[:10])
        until(lambda: _is_arriving(stage))
        refused = send(stage, GOOD)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        peer.sendall(GOOD[10:])
        assert b" 201 " in said(peer)


def _is_arriving(stage: Stage) -> bool:
    serving = stage.serving.gateway._intake
    return serving is not None and serving._arriving == 1


def test_a_delivery_over_the_limit_is_refused_whoever_says_its_length(
    stage: Stage, flow: Application, settings: Any
) -> None:
    settings.INTAKE_LARGEST = 1 << 20
    assert send(stage, HEAD * 100_000).status_code == 413
    for kind in (LINES, "text/csv"):
        assert send(stage, iter([HEAD * 10_000] * 10), kind).status_code == 413  # no Content-Length
    assert nothing_is_left()


def test_a_full_disk_refuses_in_words_and_leaves_nothing(
    stage: Stage, flow: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = intake_spool.shutil.disk_usage(settings.HOME).free
    monkeypatch.setattr(intake_spool, "RESERVE", free)
    for body in (HEAD * 1000, iter([HEAD * 1000])):
        answer = send(stage, body)
        assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
    assert nothing_is_left()


def test_a_disk_that_fills_up_meanwhile_refuses_in_words(
    stage: Stage, flow: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(settings.FILES) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("ovd_saas.files.store.Writer.write", _no_space)
    answer = send(stage, HEAD * 1000)
    assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
    assert nothing_is_left()


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_large_body_keeps_memory_flat(stage: Stage, flow: Application) -> None:
    process = psutil.Process()
    line = json.dumps({"flow": 1.5, "at": "2022-03-01T00:00:00Z", "label": "x" * 90}).encode() + b"\n"
    send(stage, line * 10_000)
    before = process.memory_info().rss
    most = before

    def body() -> Iterator[bytes]:
        nonlocal most
        for number in range(128):
            most = max(most, process.memory_info().rss)
            yield line * (4_096 + number)

    answer = send(stage, body())
    assert answer.status_code == 201, answer.text
    assert Batch.objects.get(number=2).size > 64 << 20
    assert most - before < 48 << 20
