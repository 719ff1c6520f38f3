"""Task lines: what a process that is not ours sends is believed only as far as it has the right shape."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ovd_saas.appcore.task_line import LineLost, TaskLine
from ovd_saas.files import store

Peer = Callable[..., TaskLine]


def frame(header: str, body: bytes = b"") -> bytes:
    head = header.encode()
    return struct.pack(">II", len(head), len(body)) + head + body


def event(kind: str, body: str, seq: str = "1") -> bytes:
    return frame(f'{{"type":"event","id":"t","seq":{seq},"kind":{json.dumps(kind)},"body":{body}}}')


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    """A process that sends these bytes to whoever connects."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    lines: list[TaskLine] = []

    def sends(*frames: bytes) -> TaskLine:
        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                try:
                    sock.sendall(b"".join(frames))
                    while sock.recv(1 << 16):
                        pass
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        lines.append(TaskLine(str(tmp_path / "s"), "t"))
        return lines[-1]

    yield sends
    for line in lines:
        line.close()
    listener.close()


def told(line: TaskLine) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    while not found:
        found = [(event.kind, event.body) for event in line.events(5.0)]
    return found


def test_what_an_honest_process_tells_arrives(peer: Peer) -> None:
    line = peer(
        event("started", "{}")
        + event("progress", '{"fraction": 1.5, "message": "half"}', "2")
        + event("metric", '{"name": "mae", "value": 3, "step": 7}', "3")
        + event("done", '{"metrics": {"mae": 1.0}, "file": "model", "size": 3, "seconds": 1.5}', "4")
    )
    assert told(line) == [
        ("started", {}),
        ("progress", {"fraction": 1.0, "message": "half"}),
        ("metric", {"name": "mae", "value": 3.0, "step": 7}),
        (
            "done",
            {
                "metrics": {"mae": 1.0}, "file": "model", "scores": None, "seconds": 1.5, "execution_seconds": None,
                "samples": [],
            },
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "body", "seq"),
    [
        ("progress", '{"fraction": ' + "9" * 400 + "}", "1"),
        ("metric", '{"name": "a", "value": 1e999}', "1"),
        ("metric", '{"name": "a", "value": NaN}', "1"),
        ("metric", '{"name": "a", "value": "1"}', "1"),
        ("metric", '{"name": "a", "value": 1, "step": 1e3}', "1"),
        ("checkpoint", "{}", "1"),
        ("checkpoint", '{"file": ["a"], "size": 1}', "1"),
        ("done", '{"metrics": "abc", "file": "model"}', "1"),
        ("done", '{"metrics": {"mae": -1e999}, "file": "model"}', "1"),
        ("done", '{"metrics": {}, "file": {"a": 1}}', "1"),
        ("done", '{"metrics": {}, "file": "model", "seconds": "long"}', "1"),
        ("done", '{"metrics": {}, "samples": [1]}', "1"),
        ("done", "[]", "1"),
        ("surprise", "{}", "1"),
        ("started", "{}", "99999999999999"),
        ("started", "{}", '"x"'),
        ("started", "{" * 100_000, "1"),
    ],
)
def test_what_cannot_be_stored_or_reckoned_with_is_refused(peer: Peer, kind: str, body: str, seq: str) -> None:
    with pytest.raises(LineLost, match="not a frame of ours"):
        told(peer(event(kind, body, seq)))


def test_endless_texts_are_cut(peer: Peer) -> None:
    [(_, body)] = told(peer(event("log", '{"text": "' + "a" * 1_000_000 + '"}')))
    assert len(body["text"]) == 256 << 10


@pytest.mark.django_db
def test_a_file_that_never_ends_is_not_kept(peer: Peer) -> None:
    piece = frame('{"type":"file","id":"t","file":"model","last":false}', b"x" * 4096)
    line = peer(*[piece] * 100)
    with pytest.raises(LineLost, match="more than"):
        line.fetch("model", most=10_000)
    assert not list(store._backend().scratch.iterdir())


def test_one_who_tells_without_end_while_it_owes_a_file_is_hung_up_on(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovd_saas.appcore.task_line.MOST_WAITING", 50_000)
    with pytest.raises(LineLost, match="more than anybody can hear"):
        peer(*[event("started", "{}", str(seq)) for seq in range(1, 200)]).fetch("model", most=10)


def test_files_that_nobody_asked_for_are_not_kept(peer: Peer) -> None:
    piece = frame('{"type":"file","id":"t","file":"model","last":false}', b"x" * (1 << 20))
    line = peer(*[piece] * 64, event("started", "{}"))
    assert told(line) == [("started", {})]
    assert not line._pieces


def test_a_flood_of_events_takes_a_small_share_of_the_time(peer: Peer) -> None:
    flood = b"".join(event("progress", '{"fraction": 0.5}', str(seq)) for seq in range(1, 60_000))
    line = peer(flood + event("done", '{"metrics": {}, "file": "model"}', "60000"))
    began, busy = time.monotonic(), time.thread_time()
    while not any(event.is_last for event in line.events(5.0)):
        pass
    assert time.thread_time() - busy < 0.7 * (time.monotonic() - began)


@pytest.mark.parametrize(
    "header",
    [
        '{"type":"refused","id":"t","reason":' + json.dumps("r" * 1_000_000) + "}",
        '{"type":"refused","id":"t","reason":{"a":[]}}',
        '{"type":"event","id":"t","seq":1,"kind":' + json.dumps("k" * 1_000_000) + "}",
        '{"type":"event","id":"t","seq":1,"kind":"log","body":{"text":"\\ud800"}}',
    ],
)
def test_what_is_wrong_is_told_in_bearable_words(peer: Peer, header: str) -> None:
    with pytest.raises(LineLost) as lost:
        told(peer(frame(header)))
    assert len(str(lost.value)) < 1_000
    str(lost.value).encode()
