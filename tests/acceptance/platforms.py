"""A whole platform for acceptance tests: `ovd up` in a data folder of its own, on a free port."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from ovd.client import Client, Execution

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "tests" / "apps"


def until(is_so: Callable[[], object], within_seconds: float = 30.0, says: str = "") -> Any:
    """Wait for a condition and return its value; AssertionError when it does not come true."""
    deadline = time.monotonic() + within_seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"did not happen within {within_seconds:g} s: {says}"
        time.sleep(0.05)
    return found


class Platform:
    """`ovd up` as a child process; stop and start it at will."""

    def __init__(self, *arguments: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ovd-acceptance-"))
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        unset = ("DATABASE_URL", "OVD_RUN", "OVD_URL", "OVD_TOKEN", "OVD_SECRET_KEY", "DJANGO_SETTINGS_MODULE")
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        return {**kept, "OVD_HOME": str(self.home), "OVD_PORT": "0", "XDG_CONFIG_HOME": str(self.home / "config")}

    def start(self, within_seconds: float = 120.0) -> None:
        with (self.home / "out.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ovd.cli", "up", *self.arguments],
                env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        until(
            lambda: (self.home / "up.json").exists() or self.process.poll() is not None, within_seconds, self.output()
        )  # type: ignore[union-attr]
        assert self.process.poll() is None, self.output()

    def output(self) -> str:
        return (self.home / "out.log").read_text()

    def stop(self) -> float:
        """Ctrl-C; how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return time.monotonic() - began

    @property
    def up(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "up.json").read_text())
        return found

    def client(self) -> Client:
        return Client(self.up["url"], self.up["token"], patience=30)

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.up['token']}"}
        # plain HTTP to this machine: reading the certificates would take longer than most requests
        return httpx.Client(base_url=self.up["url"], headers=headers, timeout=60, verify=False)

    def ovd(self, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """The command line, as its user runs it."""
        return subprocess.run(
            [sys.executable, "-m", "ovd.cli", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            cwd=cwd,
        )

    def push(self, folder: Path) -> None:
        done = self.ovd("push", str(folder), "--org", "demo", "--no-check")
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self, part: str) -> None:
        """SIGKILL to one of our processes, and wait until another one has its place."""
        pid = self.up["pids"][part]
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.up["pids"][part] not in (pid, None), says=f"{part} started again")

    def is_healthy(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.up['url']}/api/v1/health", timeout=5).is_success
        return False

    def submit(self, application: str, inputs: dict[str, Any]) -> str:
        """An acknowledged execution's id, not waited for; a quick one may be over already."""
        with self.http() as http:
            answer = http.post(
                f"/api/v1/applications/{application}/executions",
                json={"inputs": inputs}, headers={"Prefer": "respond-async"},
            )  # fmt: skip
        assert answer.status_code in (201, 202), answer.text
        return str(answer.json()["id"])

    def finished(self, id_: str, within_seconds: float = 60.0) -> Execution:
        client = self.client()

        def look() -> Execution | None:
            with suppress(Exception):
                found = client.execution(id_)
                return found if found.is_finished else None
            return None

        found: Execution = until(look, within_seconds, f"execution {id_} finishes")
        return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> set[int]:
    """All processes below this one."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found
