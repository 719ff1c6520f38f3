"""A real runner for tests, applications made on the spot, and a way to talk to their processes."""

import hashlib
import io
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ovd import protocol
from ovd_saas.engines.base import Connected, Event, Exited, Prepared, Ready, RunnerDown, Started
from ovd_saas.engines.local import Local

APPS = Path(__file__).parents[1] / "apps"
PATIENCE = 30.0  # seconds until a test gives up waiting

# An application that runs the code it is given: tests then need one preparation for many questions.
PUPPET = """
from ovd import App, Context, text

class Puppet(App):
    def setup(self, model):
        self.model = model

    def execute(self, context: Context, code: str = text(label="Code")) -> str:
        names = {"app": self, "context": context, "answer": ""}
        exec(code, names)
        return str(names["answer"])
"""
MANIFEST = """
name = "{name}"
title = "{name}"
summary = "For a test."
licence = "Apache-2.0"
entry = "app:{entry}"

[resources]
memory_mb = {memory_mb}
"""

T = TypeVar("T")
_numbers = itertools.count(1)


def until(look: Callable[[], T | None], what: str) -> T:
    """What `look` returns, as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"Waited {PATIENCE:g} s in vain for {what}.")


def is_alive(pid: int) -> bool:
    """True while the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    """The living children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def outside(process: int | None, inside: int) -> int:
    """The number that a process has here which has the number `inside` in the namespace of that process."""
    space = Path(f"/proc/{process}/ns/pid").readlink()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            numbers = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()
            if (status.parent / "ns/pid").readlink() == space and int(numbers[-1]) == inside:
                return int(status.parent.name)
        except OSError:
            continue
    raise AssertionError(f"No process {inside} lives beside {process}.")


def archive(folder: Path) -> bytes:
    """The folder as tar.gz."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.add(folder, arcname=".", filter=lambda info: None if "__pycache__" in info.name else info)
    return data.getvalue()


def model_tar(**files: bytes) -> bytes:
    """The tar of a model with these files."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def application(
    folder: Path, code: str, *, entry: str = "Puppet", lock: str = "", memory_mb: int = 256, name: str = "puppet"
) -> Path:
    """A folder with an application."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ovd.toml").write_text(MANIFEST.format(name=name, entry=entry, memory_mb=memory_mb))
    (folder / "app.py").write_text(code)
    (folder / "requirements.lock").write_text(lock)
    return folder


class Runner:
    """A runner process in folders of its own, seen through the local engine."""

    def __init__(self, **variables: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ovd-", dir="/tmp"))
        self.home = self.folder / "home"
        self.run = self.folder / "run"
        self.variables = variables
        self.engine = Local(self.run)
        self.events: list[Event] = []
        self.log: list[str] = []
        self.process = self._start()
        self._watch = self.engine.watch(self.events.append)

    @property
    def pid(self) -> int:
        return self.process.pid

    def _start(self) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"OVD_HOME": str(self.home), "OVD_RUN": str(self.run)} | self.variables
        with (self.folder / "runner.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "ovd_saas.runner"], env=environment, stderr=log)
        until(lambda: self._answers() or process.poll() is not None, "the runner to answer")
        assert process.poll() is None, self.said()
        return process

    def _answers(self) -> bool:
        try:
            return self.engine.hello().pid > 0
        except RunnerDown:
            return False

    def restart(self) -> None:
        """Start again in the same folders, after it ended."""
        self.process.wait(PATIENCE)
        connections = len(self.all(Connected))
        self.process = self._start()
        until(lambda: len(self.all(Connected)) > connections, "the subscription to stand again")

    def said(self) -> str:
        return (self.folder / "runner.log").read_text()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(PATIENCE)
        self._watch.close()
        self.engine.close()
        for folder in self.folder.rglob("*"):
            if folder.is_dir() and not folder.is_symlink():
                folder.chmod(0o700)
        shutil.rmtree(self.folder)

    def prepare(self, folder: Path, release: str | None = None) -> tuple[str, Prepared]:
        release = release or f"release-{next(_numbers)}"
        return release, self.engine.prepare(release, [archive(folder)], self.log.append)

    def start(self, prepared: tuple[str, Prepared], **values: Any) -> tuple[str, Started]:
        """A process that is ready."""
        process = f"process-{next(_numbers)}"
        release, found = prepared
        started = self.engine.start(process=process, release=release, environment=found.environment, **values)
        return process, Started(self.ready(process).pid, started.address)

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def ready(self, process: str) -> Ready:
        def look() -> Ready | None:
            ends = [event for event in self.all(Exited) if event.process == process]
            assert not ends, f"{ends}\n{self.engine.log(process)}"
            return next((event for event in self.all(Ready) if event.process == process), None)

        return until(look, f"{process} to be ready")

    def exited(self, process: str) -> Exited:
        return until(
            lambda: next((event for event in self.all(Exited) if event.process == process), None),
            f"{process} to end",
        )


class Talk:
    """A connection to a process, as the gateway has it."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)

    def begin(self, **inputs: Any) -> str:
        execution = f"execution-{next(_numbers)}"
        header = {"type": "execute", "id": execution, "inputs": inputs, "seed": 1, "timeout": None}
        protocol.send(self.socket, header)
        return execution

    def until(self, *kinds: str) -> dict[str, Any]:
        """The next frame of one of these kinds."""
        while True:
            frame = protocol.receive(self.socket)
            assert frame is not None, "The process hung up."
            if frame[0]["type"] in kinds:
                return frame[0]

    def execute(self, **inputs: Any) -> dict[str, Any]:
        self.begin(**inputs)
        return self.until("result", "rejected", "failed", "refused")

    def ask(self, code: str) -> str:
        """What the puppet answers."""
        frame = self.execute(code=code)
        assert frame["type"] == "result", frame
        answer: str = frame["outputs"]["result"]
        return answer

    def close(self) -> None:
        self.socket.close()
