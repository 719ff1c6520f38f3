"""Processes: the life of application processes: spawned, ready, kept by a lease, stopped, and mourned with a reason."""

import asyncio
import hashlib
import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ovd_saas.runner import endings, folders, footprints, logs, sandbox
from ovd_saas.runner.children import Child, Nursery, kill_marked
from ovd_saas.runner.configuration import Configuration
from ovd_saas.runner.connections import Connection, Header
from ovd_saas.runner.starts import Order

STARTING = "starting"  # the process itself, when its set-up is done; or its end
READY = "ready"  # somebody who asks it to stop, or its end
STOPPING = "stopping"  # its end, of itself or by force after the grace

log = logging.getLogger(__name__)

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
BACKLOG = 512  # connections that may wait for the process
REMEMBERED_EXITS = 200
RENEWALS = 5  # within one lease


class StartRefused(Exception):
    """The process was not started. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Wanted:
    """A process that somebody wants."""

    process: str  # id
    release: str  # digest
    source: Path  # of the release
    python: Path  # of its environment
    model: str | None  # digest
    model_folder: Path | None
    task: bool  # it does one task (learn or evaluate) instead of serving
    concurrency: int
    limits: sandbox.Limits
    start_seconds: float  # it must be ready by then


class Process:
    """One application process that lives. `gone` completes with the event that tells its end."""

    def __init__(self, wanted: Wanted, configuration: Configuration, sdk: Path, tell: Callable[[Header], None]) -> None:
        self.wanted = wanted
        self.state = STARTING
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.address = configuration.run / socket_name(wanted.process)
        self.gone: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
        self._configuration = configuration
        self._sdk = sdk
        self._tell = tell
        self._began = time.monotonic()
        self._scratch = configuration.scratch / wanted.process
        self._log = logs.Log(configuration.logs / f"{wanted.process}.log")
        self._control = Connection(self._on_frame, lambda _: None)
        self._child: Child | None = None
        self._failure: str | None = None
        self._was_ready = False
        self._timers: list[asyncio.TimerHandle] = []
        self._renewal: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    async def spawn(self, nursery: Nursery) -> None:
        """Afterwards the process exists and its socket takes connections. Raises StartRefused."""
        ours, theirs = socket.socketpair()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listen(listener)
            folders.empty(self._scratch)
            order = self._order(listener.fileno(), theirs.fileno())
            self._child = nursery.bear(order, lambda _, data: self._log.append(data))
        except OSError as error:
            ours.close()
            self._clear()
            raise StartRefused("spawn", f"The process cannot be started: {error}.") from error
        finally:  # the child has its own; while we held one, a connection to a dead process would wait for ever
            listener.close()
            theirs.close()
        self._log.say(f"process {self.wanted.process} started as {self.pid}")
        self._child.exited.add_done_callback(lambda exited: self._ended(exited.result()))
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(self.wanted.start_seconds, self._too_slow))
        await loop.create_connection(lambda: self._control, sock=ours)
        if self.gone.done():
            self._control.close()
        else:
            self._renew()

    def stop(self, grace: float) -> None:
        """Ask it to finish; after the grace it is killed with its children."""
        assert self._child is not None
        if grace <= 0:
            self.state = STOPPING
            self._child.kill("stop")
            return
        if self.state != STOPPING:
            self.state = STOPPING
            self._control.send({"type": "stop"})
        timer = asyncio.get_running_loop().call_later(grace, self._child.kill, "grace")
        self._timers.append(timer)

    def header(self, footprint: footprints.Footprint | None) -> Header:
        """What `processes` tells about it."""
        return {
            "process": self.wanted.process,
            "pid": self.pid,
            "address": str(self.address),
            "release": self.wanted.release,
            "model": self.wanted.model,
            "task": self.wanted.task,
            "state": self.state,
            "started_at": self.started_at,
            "rss_mb": footprint.rss_mb if footprint else 0.0,
        }

    def _listen(self, listener: socket.socket) -> None:
        self.address.unlink(missing_ok=True)
        listener.bind(str(self.address))
        self.address.chmod(0o600)
        listener.listen(BACKLOG)

    def _order(self, listen: int, control: int) -> Order:
        wanted = self.wanted
        arguments = [str(wanted.python), "-m", "ovd.process", "--folder", str(wanted.source)]
        arguments += ["--listen-fd", str(listen), "--control-fd", str(control)]
        arguments += ["--concurrency", str(wanted.concurrency), "--scratch", str(self._scratch)]
        if wanted.model_folder is not None:
            arguments += ["--model", str(wanted.model_folder)]
        if wanted.task:
            arguments.append("--task")
        variables = sandbox.variables(
            scratch=self._scratch,
            path=[wanted.python.parent],
            python_path=[self._sdk],
            cpus=wanted.limits.cpus,
        )
        return Order(arguments, variables, self._scratch, wanted.limits, inherited=(listen, control))

    def _renew(self) -> None:
        lease = self._configuration.lease_seconds
        self._control.send({"type": "lease", "seconds": lease})
        self._renewal = asyncio.get_running_loop().call_later(lease / RENEWALS, self._renew)

    def _too_slow(self) -> None:
        if self.state == STARTING and self._child is not None:
            self._child.kill("slow_start")

    def _on_frame(self, _: Connection, header: Header, __: bytes) -> None:
        if header["type"] == "ready" and self.state == STARTING:
            self.state, self._was_ready = READY, True
            seconds = round(time.monotonic() - self._began, 4)
            parts = header.get("seconds")
            self._log.say(f"ready after {seconds:.3f} s")
            self._tell({"event": "ready", "process": self.wanted.process, "seconds": seconds, "parts": parts or {}})
        elif header["type"] == "failed":
            self._failure = f"{header.get('stage', 'set-up')} failed: {header.get('message', '')}"

    def _ended(self, exit: endings.Exit) -> None:
        ending = endings.of_process(
            exit,
            memory_mb=self.wanted.limits.memory_mb,
            tasks=self.wanted.limits.tasks,
            lease_seconds=self._configuration.lease_seconds,
            failure=self._failure,
            asked=self.state == STOPPING,
            ready=self._was_ready,
        )
        event = {"event": "exited", "process": self.wanted.process, "code": exit.code, "signal": exit.signal}
        event |= {"reason": ending.reason, "message": ending.message}
        try:
            self._log.say(ending.message)
            self._clear()
        finally:  # whatever could not be removed, the end must be told
            self.gone.set_result(event)
            self._tell(event)

    def _clear(self) -> None:
        for timer in (*self._timers, *([self._renewal] if self._renewal else [])):
            timer.cancel()
        self._control.close()
        self._log.close()
        self.address.unlink(missing_ok=True)
        folders.remove(self._scratch)


class Processes:
    """All that live on this machine, and the latest ends."""

    def __init__(
        self, *, configuration: Configuration, sdk: Path, nursery: Nursery, tell: Callable[[Header], None]
    ) -> None:
        self._configuration = configuration
        self._sdk = sdk
        self._nursery = nursery
        self._tell = tell
        self._living: dict[str, Process] = {}
        self._exits: deque[Header] = deque(maxlen=REMEMBERED_EXITS)

    def clean(self) -> None:
        """Remove what a dead runner left: sockets and scratch, and children of its processes that outlived them."""
        for pid in kill_marked(self._configuration.scratch):
            log.warning("A child of an earlier runner was still alive: killed process %d.", pid)
        folders.empty(self._configuration.scratch)
        self._configuration.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in self._configuration.run.glob("p-*.sock"):
            stale.unlink()

    async def start(self, wanted: Wanted) -> Process:
        """Start it, or find that it lives already. Raises StartRefused, also when it lived and ended."""
        living = self._living.get(wanted.process)
        if living is not None:
            return living
        for ended in self._exits:
            if ended["process"] == wanted.process:
                message = f"The process {wanted.process} lived and ended: {ended['message']}. Choose a new id."
                raise StartRefused("ended", message)
        logs.prune(self._configuration.logs)
        process = Process(wanted, self._configuration, self._sdk, self._hear)
        self._living[wanted.process] = process
        try:
            await process.spawn(self._nursery)
        except BaseException:
            del self._living[wanted.process]
            raise
        return process

    def stop(self, process: str, grace: float) -> bool:
        """Ask one to end; False when no such process was ever here."""
        if process in self._living:
            self._living[process].stop(grace)
            return True
        return any(ended["process"] == process for ended in self._exits)

    async def stop_all(self, grace: float) -> None:
        """Returns when none lives."""
        living = list(self._living.values())
        for process in living:
            process.stop(grace)
        await asyncio.gather(*(process.gone for process in living))

    def headers(self) -> list[Header]:
        """What lives."""
        sessions = footprints.by_session() if self._living else {}
        return [process.header(sessions.get(process.pid)) for process in self._living.values()]

    def models(self) -> set[str]:
        """The digests of the models that living processes were started with."""
        return {process.wanted.model for process in self._living.values() if process.wanted.model is not None}

    def exits(self) -> list[Header]:
        """The latest ends, the oldest first."""
        return list(self._exits)

    def log(self, process: str, lines: int) -> str:
        """The last lines; raises FileNotFoundError when there is no such log."""
        return logs.tail(self._configuration.logs / f"{process}.log", lines)

    def _hear(self, event: Header) -> None:
        if event["event"] == "exited":
            self._living.pop(event["process"], None)
            self._exits.append(event)
        self._tell(event)


def socket_name(process: str) -> str:
    """Short, because the path of a unix socket has at most 107 bytes."""
    return f"p-{hashlib.sha256(os.fsencode(process)).hexdigest()[:12]}.sock"


def checked_limits(values: dict[str, Any]) -> sandbox.Limits:
    """The limits that a call names. Raises ValueError."""
    return sandbox.Limits(
        memory_mb=int(_positive(values, "memory_mb", 512)),
        cpus=_positive(values, "cpus", 1),
        disk_mb=int(_positive(values, "disk_mb", 256)),
    )


def checked_seconds(values: dict[str, Any], key: str, default: float) -> float:
    """A length of time that a call may name. Raises ValueError."""
    return default if values.get(key) is None else _positive(values, key, default)


def _positive(values: dict[str, Any], key: str, default: float) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise ValueError(f"{key} is {value!r}; it must be a number above 0.")
    return value
