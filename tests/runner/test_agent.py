"""Calls that are wrong, callers that are strangers, and runners that are one too many."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ovd import protocol
from ovd_saas.engines.base import Prepared
from runner.running import Runner

STRANGER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sys.stdout.buffer.write(sock.recv(65536))
"""


def connect(runner: Runner) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(str(runner.run / "runner.sock"))
    return sock


def ask(runner: Runner, header: dict[str, Any]) -> dict[str, Any]:
    with connect(runner) as sock:
        protocol.send(sock, header)
        frame = protocol.receive(sock)
        assert frame is not None
        return frame[0]


def test_hello_says_what_the_machine_is(shared: Runner) -> None:
    machine = shared.engine.hello()
    assert machine.cpus >= 1
    assert machine.memory_mb > 100
    assert machine.pid == shared.pid
    assert machine.python.startswith("3.")


def test_answers_repeat_the_number_of_the_call(shared: Runner) -> None:
    with connect(shared) as sock:
        for call in (7, 8, 9):
            protocol.send(sock, {"type": "processes", "call": call})
        answers = [protocol.receive(sock) for _ in range(3)]
    assert sorted(answer[0]["call"] for answer in answers if answer) == [7, 8, 9]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"type": "dance", "call": 1}, "no call 'dance'"),
        ({"type": "hello"}, "integer under `call`"),
        ({"type": "hello", "call": "one"}, "integer under `call`"),
        ({"type": "start", "call": 1}, "release is"),
        ({"type": "start", "call": 1, "release": "../../etc", "environment": "e"}, "release is"),
        ({"type": "start", "call": 1, "release": "r", "environment": "/etc"}, "environment is"),
        ({"type": "stop", "call": 1, "process": "a/b"}, "process is"),
        ({"type": "stop", "call": 1, "process": "a", "grace": -1}, "grace is"),
        ({"type": "log", "call": 1, "process": "../x"}, "process is"),
        ({"type": "log", "call": 1, "process": "a", "lines": "all"}, "lines is"),
        ({"type": "prepare", "call": 1, "release": "../x", "last": True}, "release is"),
        ({"type": "model", "call": 1, "model": "../x", "last": True}, "model is"),
    ],
)
def test_a_wrong_call_is_refused_and_says_why(shared: Runner, header: dict[str, Any], said: str) -> None:
    answer = ask(shared, header)
    assert (answer["type"], answer["code"]) == ("failed", "bad_call")
    assert said in answer["message"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("process", "a b"),
        ("concurrency", 0),
        ("memory_mb", -1),
        ("cpus", "two"),
        ("model", "/some/folder"),
        ("start_seconds", 0),
    ],
)
def test_a_start_with_a_wrong_value_names_it(
    shared: Runner, puppet: tuple[str, Prepared], key: str, value: object
) -> None:
    call = {"type": "start", "call": 1, "process": "p", "release": puppet[0], "environment": puppet[1].environment}
    answer = ask(shared, call | {key: value})
    assert (answer["type"], answer["code"]) == ("failed", "bad_call")
    assert key in answer["message"]


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">II", 1 << 30, 0),
        struct.pack(">II", 2, 1 << 30),
        struct.pack(">II", 4, 0) + b"nope",
        struct.pack(">II", 2, 0) + b"[]",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_malformed_frame_costs_only_its_own_connection(shared: Runner, raw: bytes) -> None:
    with connect(shared) as good, connect(shared) as bad:
        bad.sendall(raw)
        frame = protocol.receive(bad)
        assert frame is not None
        assert frame[0]["code"] == "protocol"
        assert protocol.receive(bad) is None
        protocol.send(good, {"type": "processes", "call": 1})
        assert protocol.receive(good) is not None


def test_half_an_upload_is_forgotten_with_its_connection(own: Runner) -> None:
    with connect(own) as sock:
        protocol.send(sock, {"type": "prepare", "call": 1, "release": "half", "last": False}, b"x" * 100)
        protocol.send(sock, {"type": "processes", "call": 2})
        assert protocol.receive(sock) is not None
        assert len(list((own.home / "runner/uploads").iterdir())) == 1
    own.process.send_signal(signal.SIGTERM)
    own.process.wait(10)
    assert list((own.home / "runner/uploads").iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_is_turned_away(own: Runner) -> None:
    for path, mode in ((own.folder, 0o711), (own.run, 0o711), (own.run / "runner.sock", 0o666)):
        path.chmod(mode)
    command = [sys.executable, "-c", STRANGER, str(own.run / "runner.sock")]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    frames = protocol.Decoder().feed(said)
    assert [header["code"] for header, _ in frames] == ["foreign"]


def test_a_second_runner_in_the_same_folder_refuses_to_start(shared: Runner) -> None:
    environment = os.environ | {"OVD_HOME": str(shared.home), "OVD_RUN": str(shared.run)}
    second = subprocess.run(
        [sys.executable, "-m", "ovd_saas.runner"], env=environment, capture_output=True, text=True, check=False
    )
    assert second.returncode == 2
    assert "Another runner already uses" in second.stderr
    assert shared.engine.hello().pid == shared.pid


def test_a_folder_for_sockets_with_too_long_a_name_is_refused(tmp_path: Path) -> None:
    environment = os.environ | {"OVD_HOME": str(tmp_path), "OVD_RUN": str(tmp_path / ("x" * 100))}
    runner = subprocess.run(
        [sys.executable, "-m", "ovd_saas.runner"], env=environment, capture_output=True, text=True, check=False
    )
    assert runner.returncode == 2
    assert "Set OVD_RUN to a shorter one" in runner.stderr


def test_the_runner_stays_small(shared: Runner, puppet: tuple[str, Prepared]) -> None:
    """At most 25 MiB, shared pages counted in part, after it prepared and started something."""
    process, _ = shared.start(puppet)
    lines = Path(f"/proc/{shared.pid}/smaps_rollup").read_text().splitlines()
    pss_kb = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    shared.engine.stop(process, 0)
    assert pss_kb <= 25 * 1024


def test_the_runner_loads_no_django_and_no_database(shared: Runner) -> None:
    code = (
        "import json, sys, ovd_saas.runner.__main__\n"
        "print(json.dumps([m for m in ('django', 'psycopg', 'structlog', 'ovd_saas.store') if m in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == []


def test_hello_says_how_busy_the_machine_was_and_is(shared: Runner) -> None:
    before = shared.engine.hello()
    deadline = time.process_time() + 0.2
    while time.process_time() < deadline:
        pass
    after = shared.engine.hello()
    assert before.busy_seconds is not None and after.busy_seconds is not None
    assert after.busy_seconds - before.busy_seconds >= 0.1
    assert 0 < after.used_mb <= after.memory_mb
