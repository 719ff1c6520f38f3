"""Hostile applications: each tries one thing on a real platform, and fails; its neighbours answer on, the platform is
healthy, and the error of the execution names the reason for a person."""

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from platforms import APPS, Platform, until

from ovd.client import Execution

pytestmark = pytest.mark.timeout(300)  # the first one starts a platform
HOSTILE = ("reach", "glutton", "frames", "undead", "outputs")
SECRET = "only-the-neighbour-knows-7f3a91"


class Stage(Platform):
    """A platform with little patience, so that these tests need little, too."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "OVD_START_SECONDS": "4", "OVD_LEASE_SECONDS": "8"}


@pytest.fixture(scope="module")
def stage() -> Iterator[Platform]:
    made = Stage("--no-examples")
    made.start()
    other = made.home / "hostile-other"
    shutil.copytree(APPS / "hostile-reach", other)
    manifest = other / "ovd.toml"
    manifest.write_text(manifest.read_text().replace('"hostile-reach"', '"hostile-other"'))
    client = made.client()
    folders = [APPS / "echo", *(APPS / f"hostile-{name}" for name in HOSTILE), other]
    for release in [client.push(folder, "demo") for folder in folders]:
        until(lambda r=release: client.release(r.application, r.number).is_ready, 60, release.application)
    assert made.client().execute("demo/echo", {"message": SECRET}).is_success
    yield made
    made.stop()
    shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture
def beside(stage: Platform) -> Iterator[Platform]:
    """While the test runs a neighbour is asked again and again; afterwards nobody was harmed."""
    pids, is_over, failed = stage.up["pids"], threading.Event(), []
    assert stage.client().execute("demo/echo", {"message": "before"}).is_success

    def ask() -> None:
        client = stage.client()
        while not is_over.wait(0.05):
            answer = client.execute("demo/echo", {"message": "meanwhile"})
            if not answer.is_success:
                failed.append(str(answer.reason))

    asking = threading.Thread(target=ask)
    asking.start()
    yield stage
    is_over.set()
    asking.join()
    assert not failed
    assert stage.is_healthy()
    assert stage.up["pids"] == pids, stage.output()[-3000:]


def act(stage: Platform, name: str, **inputs: Any) -> Execution:
    with stage.http() as http:
        path = f"/api/v1/applications/demo/hostile-{name}/executions"
        answer = http.post(path, json={"inputs": inputs}, headers={"Prefer": "respond-async"})
    assert answer.status_code in (201, 202), answer.text  # 201: it was over before anybody had to wait
    return stage.finished(str(answer.json()["id"]), 40)


def message(execution: Execution) -> str:
    assert execution.status == "failed", (execution.status, execution.outputs)
    error = execution.document["error"]
    return f"{error['code']}: {error['message']}"


def alive_with(words: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in command and "pytest" not in command:
            found.append(f"{path.parent.name}: {command[:80]}")
    return found


# reaching out


def known(stage: Platform) -> dict[str, Any]:
    """What a stranger would have to guess."""
    home, up = stage.home, stage.up
    sockets = [str(path) for path in home.rglob("*") if path.is_socket()]
    runner = home / "runner"
    paths = [home / "up.json", home / "out.log", home / "postgresql", home / "files", home / "incoming", home / "run"]
    paths += [runner / name for name in ("releases", "scratch", "logs", "models", "uploads", "cache", "rooms")]
    paths += [*runner.glob("releases/*"), *runner.glob("scratch/*"), *runner.glob("logs/*"), Path.home() / ".ssh"]
    paths += [path for path in home.iterdir() if path.is_file()]
    return {
        "paths": sorted({str(path) for path in paths}),
        "needles": [up["token"], up["password"], SECRET],
        "sockets": sockets,
        "folders": [str(home / "run")],
        "ports": [int(up["url"].rsplit(":", 1)[1]), 5432],
        "host": socket.gethostbyname(socket.gethostname()),
        "abstract": ["ovd", "runner", "/tmp/.X11-unix/X0"],
        "pids": [*up["pids"].values(), os.getpid(), stage.process.pid],  # type: ignore[union-attr]
    }


@pytest.mark.parametrize("what", ["files", "processes", "sockets", "kernel", "writing", "secrets"])
def test_it_gets_at_nothing_that_is_not_its_own(beside: Platform, what: str) -> None:
    done = act(beside, "reach", act=what, words=json.dumps(known(beside)))
    assert done.status == "succeeded", done.reason
    assert done.outputs["result"] == ""


def test_it_leaves_nothing_to_another_application_of_the_same_template(beside: Platform) -> None:
    assert act(beside, "reach", act="leave").status == "succeeded"
    found = act(beside, "other", act="look")
    assert found.status == "succeeded", found.reason
    assert found.outputs["result"] == ""


# taking all


GREED = {
    "memory": "memory",
    "memory_of_children": "memory limit of 200 MB",
    "memory_of_files": "",
    "forks": "",
    "threads": "",
    "one_file": "",
    "many_files": "",
    "inodes": "",
    "temporary": "",
    "log": "",
    "progress": "",
    "output": "The outputs cannot be sent",
    "descriptors": "",
    "spin": "timeout: It took longer than",
    "interpreter_lock": "its lease",
    "deaf": "timeout: It took longer than",
}


@pytest.mark.parametrize("what", GREED)
def test_who_takes_all_is_stopped_and_told_why(beside: Platform, what: str) -> None:
    free = shutil.disk_usage(beside.home).free
    done = act(beside, "glutton", act=what)
    if done.status == "succeeded":  # it was told no, and lived
        said = done.outputs["result"]
        assert GREED[what] == "" and not said.startswith(("it held", "they held", "made", "wrote", "all", "spun")), said
        assert not any(
            int(number) > 210 for number in said.replace(";", " ").split() if number.isdigit() and "MB" in said
        )
    else:
        assert GREED[what] in message(done), message(done)
        assert any(
            word in message(done) for word in ("memory", "limit", "processes and threads", "disk", "lease", "at most")
        ), message(done)
    assert free - shutil.disk_usage(beside.home).free < 600 << 20


# outliving


@pytest.mark.parametrize("how", ["return", "die", "hang"])
def test_nobody_outlives_its_process(beside: Platform, how: str) -> None:
    words = f"undead-{how}-{os.getpid()}-{time.monotonic_ns()}"
    done = act(beside, "undead", act=how, words=words)
    assert done.status == ("succeeded" if how == "return" else "failed"), done.reason
    until(lambda: not alive_with(words), 15, f"nobody is left: {alive_with(words)}")


# lines that are not its own


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("pair", "garbage"), ("pair", "huge"), ("pair", "ready"), ("pair", "failed"), ("pair", "types"),
        ("pair", "calls"), ("pair", "close"), ("pair", "silence"), ("gateway", "garbage"), ("gateway", "deep"),
        ("gateway", "flood"), ("gateway", "close"), ("listener", "close"),
    ],
)  # fmt: skip
def test_who_speaks_on_lines_that_are_not_its_own_harms_itself_alone(beside: Platform, line: str, how: str) -> None:
    done = act(beside, "frames", line=line, act=how)
    assert done.is_finished
    if done.status == "failed":
        assert len(message(done)) < 2_000
    after = act(beside, "frames", line="nobody", act="")  # it can be started again, and the runner knows what lives
    assert after.status == "succeeded", after.reason
    with beside.http() as http:
        machines = http.get("/api/v1/runners").json()["items"]
    assert [machine["is_up"] for machine in machines] == [True]


# giving what is not its own


def fetched(stage: Platform, done: Execution) -> httpx.Response:
    with stage.http() as http:
        return http.get(done.outputs["one"]["url"])


@pytest.mark.parametrize("how", ["path", "symlink", "links", "hard link", "fifo", "folder", "device", "proc"])
def test_a_file_that_is_not_its_own_is_no_output(beside: Platform, how: str) -> None:
    path = beside.home / "up.json"
    done = act(beside, "outputs", act=how, path=str(path))
    text = "" if done.status == "failed" else fetched(beside, done).text
    assert beside.up["token"] not in text and "DATABASE" not in text
    if done.status == "failed":
        assert "output" in message(done) or "exception" in message(done)


def test_a_file_with_a_hostile_name_is_sent_as_a_file_and_nothing_else(beside: Platform) -> None:
    done = act(beside, "outputs", act="name")
    assert done.status == "succeeded", done.reason
    answer = fetched(beside, done)
    assert answer.is_success and "set-cookie" not in answer.headers
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


# before it serves


def test_who_attacks_while_it_is_imported_is_no_release(beside: Platform) -> None:
    pushed = beside.ovd("push", str(APPS / "hostile-import"), "--org", "demo", "--no-check")
    assert pushed.returncode != 0
    assert "Traceback" not in pushed.stdout + pushed.stderr


def test_who_is_never_ready_is_ended_and_the_application_says_so(beside: Platform) -> None:
    beside.push(APPS / "hostile-setup")
    id_ = beside.submit("demo/hostile-setup", {"message": "hello"})
    client = beside.client()

    def why() -> str:
        return str(client.application("demo/hostile-setup"))

    until(lambda: "not ready in time" in why(), 40, why())
    client.cancel(id_)
