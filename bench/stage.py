"""A stage: a platform of its own in a temporary folder, and what its parts use. For the other scripts here."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PARTS = ("appcore", "web", "runner")
READY_WITHIN_SECONDS = 120
FAST_ENOUGH = 0.02  # seconds between two questions while one waits


@dataclass(frozen=True)
class Stage:
    """A platform that is up."""

    home: Path
    url: str
    token: str
    pids: Mapping[str, int]  # of its parts: postgresql, runner, appcore, web, up

    def push(self, folder: Path, *, name: str = "", org: str = "demo", manifest: str = "", sleep: str = "") -> None:
        """Publish an application, if wanted under another name, with more in its manifest or in [sleep] there; returns
        when it is ready."""
        with tempfile.TemporaryDirectory(prefix="ovd-push-") as scratch:
            copy = Path(shutil.copytree(folder, Path(scratch) / "app", symlinks=True))
            text = (copy / "ovd.toml").read_text()
            if name:
                text = "\n".join(f'name = "{name}"' if line.startswith("name =") else line for line in text.split("\n"))
            text = text.replace("[sleep]\n", f"[sleep]\n{sleep}\n")
            (copy / "ovd.toml").write_text(text + manifest)
            command = [sys.executable, "-m", "ovd.cli", "push", str(copy), "--org", org, "--no-check"]
            done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"{name or folder.name} could not be pushed:\n{done.stdout}{done.stderr}")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "OVD_HOME": str(self.home), "OVD_URL": self.url, "OVD_TOKEN": self.token}

    def door(self) -> "Door":
        return Door(urlsplit(self.url).netloc, {"Authorization": f"Bearer {self.token}"})


class Door:
    """One kept connection, so that what is measured is the platform."""

    def __init__(self, place: str, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection(place, timeout=120)
        self.headers = dict(headers)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of the answer."""
        headers = self.headers | ({"Content-Type": "application/json"} if body is not None else {})
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def feed(self, path: str, lines: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to JSON Lines."""
        self._connection.request("POST", path, lines, self.headers | {"Content-Type": "application/x-ndjson"})
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def read(self, path: str) -> Any:
        """What the API says, as JSON."""
        status, body = self.ask("GET", path)
        assert status == 200, (path, status, body[:500])
        return json.loads(body)

    def execute(self, application: str, inputs: Mapping[str, Any]) -> float:
        """Seconds until the result of an execution was here; `application` is org/name."""
        began = time.perf_counter()
        status, body = self.ask("POST", f"/api/v1/applications/{application}/executions", {"inputs": inputs})
        said = json.loads(body)
        while status in (200, 202) and said["status"] in ("queued", "running"):  # longer than an answer is waited for
            time.sleep(FAST_ENOUGH)
            status, body = self.ask("GET", f"/api/v1/executions/{said['id']}")
            said = json.loads(body)
        took = time.perf_counter() - began
        assert status in (200, 201) and said["status"] == "succeeded", (application, status, body[:2000])
        return took

    def sleep(self, application: str, within: float = 30.0) -> None:
        """Afterwards it is asleep."""
        self.ask("POST", f"/api/v1/applications/{application}/actions/sleep")
        deadline = time.monotonic() + within
        while (said := self.read(f"/api/v1/applications/{application}"))["service"] != "asleep":
            assert time.monotonic() < deadline, said
            time.sleep(FAST_ENOUGH)


@contextmanager
def stage(**settings: str) -> Iterator[Stage]:
    """A platform without examples, with these environment variables; afterwards it is gone with all its data. Records
    can be read in this process, too."""
    home = Path(tempfile.mkdtemp(prefix="ovd-bench-"))
    environment = {**os.environ, "OVD_HOME": str(home), "OVD_PORT": "0", **settings}
    with (home / "out.log").open("wb") as log:
        command = [sys.executable, "-m", "ovd.cli", "up", "--no-examples"]
        platform = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not (home / "up.json").exists():
            assert platform.poll() is None and time.monotonic() < deadline, (home / "out.log").read_text()
            time.sleep(0.1)
        up = json.loads((home / "up.json").read_text())
        os.environ.update(OVD_HOME=str(home), DJANGO_SETTINGS_MODULE="ovd_saas.wiring.settings")
        import django

        django.setup()
        yield Stage(home, up["url"], up["token"], up["pids"])
    finally:
        if keep := os.environ.get("OVD_BENCH_LOGS"):
            shutil.copytree(home / "logs", keep, dirs_exist_ok=True)
        platform.send_signal(signal.SIGINT)
        platform.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def pss_mib(pid: int) -> float:
    """Proportional set size: shared pages count once, divided among those who share them. 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024


def cpu_seconds(pid: int, *, with_ended: bool = False) -> float:
    """Processor time that it has used, in user and kernel mode; with that of its children that have ended if wanted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended else 13])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def load() -> str:
    """How busy the machine was, for those who read the figures."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
