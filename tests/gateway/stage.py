"""The stage of the gateway's tests: a real web server in a thread, real processes of applications, real rows.

AppCore is not on it: a test starts and ends processes itself, as AppCore and the runner would.
"""

import asyncio
import socket
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from django.conf import settings
from django.utils import timezone

import makers
from ovd import protocol, schema
from ovd_saas.appcore import access
from ovd_saas.appcore import processes as noting
from ovd_saas.domain import processes
from ovd_saas.files import store as files
from ovd_saas.gateway.app import Gateway
from ovd_saas.store import transitions
from ovd_saas.store.records import Application, Execution, ModelVersion, Process, Release, Runner

APPS = Path(__file__).resolve().parent.parent / "apps"
_schemas: dict[str, dict[str, Any]] = {}


def until(is_so: Callable[[], Any], within_seconds: float = 20.0) -> Any:
    """Wait for a condition and give what it gave; AssertionError when it does not come true."""
    deadline = time.monotonic() + within_seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"did not happen within {within_seconds:g} s"
        time.sleep(0.01)
    return found


class Serving:
    """A uvicorn of our own, on any free port, in a thread with its own event loop."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.gateway = Gateway(_no_django)
        config = uvicorn.Config(self.gateway, lifespan="on", log_config=None, access_log=False,
                                timeout_graceful_shutdown=3)  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive())
        assert self._server.started

    def stop(self) -> None:
        self.gateway.begin_stop()
        self._server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._server.serve([self.listening]))


async def _no_django(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


@dataclass
class Played:
    """A process of an application, and its row."""

    row: Process
    process: subprocess.Popen[bytes]
    control: socket.socket

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Dead, and AppCore has noticed."""
        self.kill()
        self.control.close()
        transitions.process(self.row.pk, processes.END, now=timezone.now(), ended_at=timezone.now())

    def drain(self) -> None:
        """It finishes what it runs and ends, as AppCore and the runner have it do."""
        transitions.process(self.row.pk, processes.DRAIN, now=timezone.now())
        protocol.send(self.control, {"type": "stop"})
        self.process.wait(20)
        transitions.process(self.row.pk, processes.END, now=timezone.now(), ended_at=timezone.now())


@dataclass
class Stage:
    serving: Serving = field(default_factory=Serving)
    played: list[Played] = field(default_factory=list)
    token: str = ""

    def open(self) -> None:
        _, self.token = access.issue(makers.user(), "tests")
        Runner.objects.get_or_create(name=socket.gethostname(), defaults={"facts": {"cpus": 2}})
        self.serving.start()

    def close(self) -> None:
        for played in self.played:
            played.kill()
            played.control.close()
        self.serving.stop()

    def application(self, name: str = "echo", **execute: Any) -> Application:
        """One of tests/apps, enabled, asleep."""
        if name not in _schemas:
            _schemas[name] = schema.describe(APPS / name)
        application = makers.application(name)
        manifest = {"execute": {"timeout": 60, "concurrency": 1, "max_queue": 1000, "max_attempts": 3, **execute}}
        Release.objects.filter(pk=application.release_id).update(schema=_schemas[name], manifest=manifest)
        return Application.objects.select_related("organisation", "release").get(pk=application.pk)

    def process(self, application: Application, *, ready: bool = True, model: ModelVersion | None = None) -> Played:
        """Start its process, as AppCore does; with `ready`, wait until it serves, and until the gateway knows."""
        release = application.release
        assert release is not None
        id_ = uuid.uuid4()
        address = settings.RUN / f"t-{id_.hex[:12]}.sock"
        concurrency = release.manifest["execute"]["concurrency"]
        row = Process.objects.create(
            id=id_, application=application, release=release, runner=Runner.objects.get(), address=str(address),
            started_at=timezone.now(), concurrency=concurrency, model=model,
        )  # fmt: skip
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(address))
        listening.listen(16)
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "ovd.process", "--folder", str(APPS / application.name),
                   "--listen-fd", str(listening.fileno()), "--control-fd", str(theirs.fileno()),
                   "--concurrency", str(concurrency)]  # fmt: skip
        if model is not None:
            command += ["--model", str(self._folder(model))]
        process = subprocess.Popen(command, pass_fds=[listening.fileno(), theirs.fileno()], stdout=subprocess.DEVNULL)
        listening.close()
        theirs.close()
        played = Played(row, process, ours)
        self.played.append(played)
        if ready:
            self.make_ready(played)
        return played

    def _folder(self, model: ModelVersion) -> Path:
        """Its files, as the runner unpacks them."""
        folder: Path = settings.HOME / "models" / model.digest
        folder.mkdir(parents=True, exist_ok=True)
        with files.open(model.digest) as archive, tarfile.open(fileobj=archive) as tar:
            tar.extractall(folder, filter="data")
        return folder

    def make_ready(self, played: Played) -> None:
        """Wait until it serves and until the gateway knows."""
        self.make_ready_now(played)
        until(lambda: self.knows(played))

    def make_ready_now(self, played: Played) -> None:
        """Wait until it serves; somebody is told."""
        ours = played.control
        ours.settimeout(30)
        said = protocol.receive(ours)
        assert said is not None and said[0]["type"] == "ready", said
        noting.answer(process_id=played.row.pk, now=timezone.now())

    def knows(self, played: Played) -> bool:
        dispatcher = self.serving.gateway._dispatcher
        assert dispatcher is not None
        lane = dispatcher.lanes.get(played.row.application_id)
        process = lane.processes.get(played.row.pk) if lane is not None else None
        return process is not None and process.is_serving

    def client(self, **headers: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        limits = httpx.Limits(max_connections=300)
        return httpx.Client(base_url=self.serving.url, headers=headers, timeout=60, limits=limits)

    def post(self, name: str, inputs: dict[str, Any], more: Any = None, **headers: str) -> httpx.Response:
        with self.client(**{key.replace("_", "-"): value for key, value in headers.items()}) as client:
            return client.post(path(name), json={"inputs": inputs, **(more or {})})


def path(name: str, organisation: str = "acme") -> str:
    return f"/api/v1/applications/{organisation}/{name}/executions"


def row(answer: httpx.Response) -> Execution:
    """The archived row of an answer."""
    return Execution.objects.get(pk=answer.json()["id"])
