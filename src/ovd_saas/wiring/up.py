"""`ovd up`: everything on one machine. Starts PostgreSQL, runner, AppCore and web, and restarts what dies. Floor 4.

Knows no Django, to stay small. Web inherits its listening socket from here, so that a restarted web finds waiting
connections and no client is refused.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovd_saas.wiring import home, web
from ovd_saas.wiring.postgres import Postgres, PostgresFailed

READY_WITHIN_SECONDS = 60.0
STOP_WITHIN_SECONDS = 4.0
PAUSES = (0.0, 0.2, 1.0, 3.0)  # seconds before a dead child is started again, by deaths in a row
STEADY_SECONDS = 30.0  # a child that lived so long begins counting anew
SAY = "\033[1m{}\033[0m" if sys.stdout.isatty() else "{}"


@dataclass
class Child:
    """One process of ours and how to start it again. `spawn` may raise OSError or PostgresFailed."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        self.process = self.spawn()
        self.started_at = time.monotonic()

    def tend(self) -> bool:
        """Start it again if it died; True if that happened. When it cannot be started, it is tried again."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            return False
        if self.process is not None:
            say(f"{self.name} ended ({_ending(self.process.returncode)}); starting it again")
            self.process = None
            self._pause(now)
        if now < self.again_at:
            return False
        try:
            self.start()
        except (OSError, PostgresFailed) as error:
            say(f"{self.name} could not be started: {error}; trying again")
            self._pause(now)
            return False
        return True

    def _pause(self, now: float) -> None:
        """Longer with each death in a row."""
        self.deaths = 1 if now - self.started_at > STEADY_SECONDS else self.deaths + 1
        self.again_at = now + PAUSES[min(self.deaths - 1, len(PAUSES) - 1)]

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None


@dataclass
class Platform:
    """All of it, on one machine."""

    home: Path
    run: Path
    socket: socket.socket
    postgres: Postgres | None
    children: dict[str, Child] = field(default_factory=dict)
    starting: bool = True
    stopping: bool = False

    @property
    def url(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104

    def start(self) -> None:
        if self.postgres is not None:
            postgres = self.postgres
            postgres.start()
            self.children["postgresql"] = Child("postgresql", postgres.spawn, postgres.process, time.monotonic())
        self.bootstrap()
        fd = str(self.socket.fileno())
        for name, *arguments in (["runner"], ["appcore"], ["web", "--fd", fd]):
            self.children[name] = Child(name, lambda name=name, arguments=arguments: self._spawn(name, *arguments))  # type: ignore[misc]
            self.children[name].start()

    def bootstrap(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "ovd_saas.wiring.bootstrap", str(self.credentials_file)],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise SystemExit("The database could not be prepared; the lines above say why.")
        self.applications: list[str] = json.loads(done.stdout.splitlines()[-1])["applications"]

    @property
    def credentials_file(self) -> Path:
        return self.home / "credentials.json"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "OVD_HOME": str(self.home), "OVD_RUN": str(self.run), "OVD_UP": "1"}

    def write_up_file(self) -> None:
        """`up.json` (0600), replaced as a whole so that a reader never sees half of it."""
        known = json.loads(self.credentials_file.read_text())
        pids = {name: child.pid for name, child in self.children.items()}
        body = {"url": self.url, **known, "pids": {**pids, "up": os.getpid()}, "home": str(self.home)}
        fresh = self.home / "up.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(body, indent=2) + "\n")
        fresh.rename(self.home / "up.json")

    def tend(self) -> None:
        """Until asked to stop: restart what died, keep `up.json` true."""
        is_true = True
        while not self.stopping:
            tended = [child.tend() for child in self.children.values()]  # every one, each time
            if any(tended) or not is_true:
                is_true = self._wrote_up_file(say_why_not=is_true)
            time.sleep(0.1)

    def _wrote_up_file(self, *, say_why_not: bool) -> bool:
        try:
            self.write_up_file()
        except OSError as error:  # a full disk: everything else goes on
            if say_why_not:
                say(f"{self.home / 'up.json'} could not be written: {error.strerror}; trying again")
            return False
        return True

    def health(self) -> dict[str, Any] | None:
        """What `/health` says now; None while web does not answer or a part is down."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/health", timeout=2) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if self.health() is not None:
                return
            for child in self.children.values():
                child.tend()
            time.sleep(0.05)
        raise SystemExit(f"The platform is not ready after {READY_WITHIN_SECONDS:g} s. See {self.home / 'logs'}.")

    def stop(self) -> None:
        """Doors first, the database last; what does not end in time is killed."""
        (self.home / "up.json").unlink(missing_ok=True)
        ending = [child.process for name, child in self.children.items() if name != "postgresql" and child.process]
        for process in ending:
            process.terminate()
        deadline = time.monotonic() + STOP_WITHIN_SECONDS - 1
        for process in ending:
            try:
                process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.postgres is not None:
            self.postgres.stop(within_seconds=1.0)

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        logs = self.home / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ovd_saas.wiring.process", name, *arguments],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[self.socket.fileno()] if name == "web" else [],
                start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip


def up(*, with_examples: bool = True) -> None:
    """Start, publish the examples that are missing, say where everything is, stay until Ctrl-C."""
    os.umask(0o077)
    folder = home.folder()
    with _only_one(folder):
        run = home.run_folder(folder)
        postgres = None if os.environ.get("DATABASE_URL") else Postgres(folder / "postgresql" / "data", run)
        platform = Platform(folder, run, web.listen(), postgres)
        _on_signals(platform)
        try:
            platform.start()
            platform.wait_until_ready()
            if with_examples:
                _publish_examples(platform)
            platform.write_up_file()
            _say_where(platform, with_examples=with_examples)
            platform.starting = False
            platform.tend()
        except Interrupted:
            pass
        except (PostgresFailed, OSError) as error:
            raise SystemExit(f"The platform could not be started: {error}") from None
        finally:
            platform.starting = False
            platform.stop()
            say("stopped")


def say(text: str) -> None:
    with suppress(OSError):  # a closed terminal or pipe is no reason to end
        print(text, flush=True)  # noqa: T201


def examples() -> Path | None:
    """The folder of example applications in a checkout; None where only the package is installed."""
    found = Path(__file__).resolve().parents[3] / "examples"
    return found if found.is_dir() else None


def _publish_examples(platform: Platform) -> None:
    folder = examples()
    if folder is None:
        return
    known = json.loads(platform.credentials_file.read_text())
    environment = {**platform.environment, "OVD_URL": platform.url, "OVD_TOKEN": known["token"]}
    for manifest in sorted(folder.glob("*/ovd.toml")):
        name = manifest.parent.name
        if f"demo/{name}" in platform.applications:
            continue
        say(f"publishing the example {name} …")
        command = [sys.executable, "-m", "ovd.cli", "push", str(manifest.parent), "--org", "demo", "--no-check"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        if done.returncode != 0:
            say(f"the example {name} could not be published:\n{done.stdout}{done.stderr}")


def _say_where(platform: Platform, *, with_examples: bool) -> None:
    known = json.loads(platform.credentials_file.read_text())
    url = platform.url
    line = "─" * 78
    try_it = f"""    curl -s {url}/api/v1/applications/demo/word-count/executions \\
      -H "Authorization: Bearer {known["token"]}" \\
      -H "Content-Type: application/json" -d '{{"inputs": {{"text": "to be or not to be"}}}}'"""
    if not with_examples:
        try_it = "    ovd new my-app && ovd push my-app"
    say(f"""
{line}
{SAY.format("OVD-SaaS is up.")} Ctrl-C stops it; your data stays in {platform.home}

  Control Panel   {SAY.format(url)}
  sign in as      {known["user"]}  /  {known["password"]}
  token           {known["token"]}

  Try it:
{try_it}
{line}
""")


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two platforms in one data folder would fight; the second one is told."""
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                f"A platform runs in {folder} already. Stop it first, or set OVD_HOME and OVD_PORT for another one."
            ) from None
        os.set_inheritable(lock.fileno(), False)
        yield


class Interrupted(Exception):
    """Somebody asked it to stop while it was starting."""


def _on_signals(platform: Platform) -> None:
    """Asked to stop, it gives up starting wherever that is, or tends no longer; asked again, it goes on stopping."""

    def stop(*_: object) -> None:
        platform.stopping = True
        if platform.starting:
            platform.starting = False
            raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def _end_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _ending(status: int) -> str:
    return f"exit code {status}" if status >= 0 else signal.Signals(-status).name
