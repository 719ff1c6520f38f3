"""What code of strangers says to the runner is judged: on the control line of its process, and while it is checked."""

import json
from pathlib import Path
from typing import Any

import pytest

from ovd import schema
from ovd_saas.engines.base import Prepared, PrepareFailed
from ovd_saas.runner import told
from ovd_saas.runner.checks import Report
from ovd_saas.runner.commands import Outcome
from ovd_saas.runner.failures import PreparationFailed
from runner.running import Runner, Talk, application, is_alive, until

APPS = Path(__file__).resolve().parents[1] / "apps"
LINES = """
import os, socket, struct, json, time
def pairs():
    for number in map(int, os.listdir('/proc/self/fd')):
        try:
            sock = socket.socket(fileno=os.dup(number))
            if sock.family == socket.AF_UNIX and not sock.getsockname() and sock.type == socket.SOCK_STREAM:
                yield number, sock
        except OSError:
            pass
def frame(raw):
    return struct.pack('>II', len(raw), 0) + raw
def say(raw):
    for _, sock in pairs():
        sock.setblocking(False)
        try:
            sock.send(raw)
        except OSError:
            pass
"""


def puppeteer(shared: Runner, puppet: tuple[str, Prepared], code: str) -> tuple[str, Any]:
    process, started = shared.start(puppet)
    Talk(started.address).begin(code=LINES + code)
    return process, started


@pytest.mark.parametrize(
    "said",
    [
        r"""frame(b'{"type":"failed","stage":"\\ud800","message":"a\\u0000b\\udfff' + b'm' * 100_000 + b'"}')""",
        r"""frame(b'{"type":"failed","stage":["x"],"message":{"a":1}}')""",
        r"""frame(b'{"type":"ready","seconds":{"import":1' + b'0' * 400 + b',"\\ud800":1}}')""",
    ],
)
def test_hostile_words_of_a_failure_are_told_in_bearable_ones(
    shared: Runner, puppet: tuple[str, Prepared], said: str
) -> None:
    process, _ = puppeteer(
        shared, puppet, f"say({said}); time.sleep(0.2); os.write(2, b'x\\x00\\x1b[2J\\n'); os._exit(1)"
    )
    exited = shared.exited(process)
    assert len(exited.message) < 3_000 and "\x00" not in exited.message and "\x1b" not in exited.message
    exited.message.encode()
    assert shared.engine.hello().pid == shared.pid
    fresh = shared.engine.watch(lambda event: None)  # is told of all ends so far
    fresh.close()


@pytest.mark.parametrize(
    "how",
    [
        r"say(b'\xff' * 64)",
        r"say(struct.pack('>II', 2**32 - 1, 0))",
        r"""[say(frame(b'{"type":"ready"}') * 100) for _ in range(5)]""",
        r"[sock.shutdown(2) for _, sock in pairs()]",
    ],
    ids=["garbage", "huge", "flood", "closed"],
)
def test_who_misuses_the_control_line_and_lives_on_is_ended(
    shared: Runner, puppet: tuple[str, Prepared], how: str
) -> None:
    """Even when nothing of the SDK is left in it that would notice."""
    silence = "os._exit = lambda code: time.sleep(60)\n"
    process, started = puppeteer(shared, puppet, silence + how + "\ntime.sleep(60)")
    exited = shared.exited(process)
    assert exited.reason in ("control", "exit"), exited
    assert "line to the runner" in exited.message or exited.reason == "exit"
    until(lambda: not is_alive(started.pid or 0), "it to be gone")


def test_a_forged_check_is_refused_in_words(shared: Runner, tmp_path: Path) -> None:
    forged = [
        {"event": "schema", "schema": {"version": 1, "inputs": 5, "outputs": [], "samples": "x"}},
        {"event": "sample", "name": ["x"], "status": "passed", "message": "m" * 100_000},
        {"event": "preload", "modules": 5, "source": {}},
        {"event": "problem", "file": {}, "line": [], "message": None},
        {"event": "done", "ok": True},
    ]
    lines = "\n".join(json.dumps(line) for line in forged)
    folder = application(tmp_path / "forged", f"import os\nprint({lines!r}, flush=True)\nos._exit(0)\n", name="forged")
    with pytest.raises(PrepareFailed) as refused:
        shared.prepare(folder)
    assert len(str(refused.value)) < 20_000
    assert shared.engine.hello().pid == shared.pid


GOOD = schema.describe(APPS / "image-size")


def test_the_schemas_of_honest_applications_are_taken() -> None:
    for name in ("echo", "image-size", "learner", "crasher", "slow", "command-upper"):
        assert told.wrong(schema.describe(APPS / name)) == "", name


def changed(**values: Any) -> Any:
    return {**GOOD, **values}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "given",
    [
        None, [], "x", {}, changed(inputs=5), changed(inputs=None), changed(outputs=[]), changed(samples="x"),
        changed(samples=[1]), changed(sample=7), changed(title="a\0b"), changed(title="\ud800"),
        changed(more=deep(5_000)),
        changed(inputs={"properties": {"x": 1}, "required": []}),
        changed(inputs={"properties": {"x": {"x-ovd": {"kind": "shell"}}}, "required": []}),
        changed(inputs={"properties": {"x": {"x-ovd": {"kind": ["text"]}}}, "required": []}),
        changed(inputs={"properties": {"x": {"x-ovd": {"kind": "choice"}, "enum": 5}}, "required": []}),
        changed(inputs={"properties": {}, "required": ["x"]}), changed(inputs={"properties": {}, "required": [["x"]]}),
        changed(outputs={"properties": {str(n): {"x-ovd": {"kind": "text"}} for n in range(2000)}, "required": []}),
        changed(version=float("inf")),
    ],
)  # fmt: skip
def test_a_schema_that_is_none_is_refused_in_words(given: Any) -> None:
    report = Report(say=lambda line: None)
    for event in ({"event": "schema", "schema": given}, {"event": "done", "ok": True}):
        report._take(event)
    with pytest.raises(PreparationFailed) as refused:
        report.judge(Outcome(True, ""))
    str(refused.value).encode()
    assert len(str(refused.value)) < 1_000


def test_a_flood_of_samples_and_problems_is_not_kept() -> None:
    report = Report(say=lambda line: None)
    for number in range(20_000):
        report._take({"event": "sample", "name": str(number), "status": "passed"})
        report._take({"event": "problem", "message": "m" * 100})
    assert len(report.samples) <= told.MOST_SAMPLES + 1 and len(report.problems) <= 1_000
