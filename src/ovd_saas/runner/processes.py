"""Processes: the life of application processes: born, ready, kept by a lease, stopped, and mourned with a reason."""

import asyncio
import hashlib
import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ovd_saas.runner import endings, folders, logs, proxy, sandbox, told
from ovd_saas.runner.births import Births, NotBorn, Wanted
from ovd_saas.runner.children import Child, kill_marked, usages
from ovd_saas.runner.configuration import Configuration
from ovd_saas.runner.connections import Connection, Header

STARTING = "starting"  # the process itself, when its set-up is done; or its end
READY = "ready"  # somebody who asks it to stop, or its end
STOPPING = "stopping"  # its end, of itself or by force after the grace

log = logging.getLogger(__name__)

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
BACKLOG = 512  # connections that may wait for the process
REMEMBERED_EXITS = 200
RENEWALS = 5  # within one lease
BIRTH_SECONDS = 0.1  # that a caller waits for the number of the process; a fork takes milliseconds, a template seconds
PRUNE_SECONDS = 1.0  # after a start, so that nobody waits for it
MOST_FRAMES = 20  # on the control line: a process says that it is ready, or why not
HUNG_UP_SECONDS = 2.0  # for a process that closed the control line to end


class StartRefused(Exception):
    """The process was not started. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Process:
    """One application process that lives. `gone` completes with the event that tells its end."""

    def __init__(
        self, wanted: Wanted, configuration: Configuration, births: Births, tell: Callable[[Header], None]
    ) -> None:
        self.wanted = wanted
        self.state = STARTING
        self.started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.address = configuration.run / socket_name(wanted.process)
        self.gone: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
        self._configuration = configuration
        self._births = births
        self._tell = tell
        self._began = time.monotonic()
        self._log = logs.Log(configuration.logs / f"{wanted.process}.log")
        self._control = Connection(self._on_frame, lambda _: self._on_hung_up())
        self._heard = 0  # frames on the control line
        self._child: Child | None = None
        self._how = ""
        self._failure: str | None = None
        self._was_ready = False
        self._proxy: proxy.Proxy | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._renewal: asyncio.TimerHandle | None = None
        self._renewed_at = time.monotonic()
        self._was_late_at = float("-inf")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._birth: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """None until it is born."""
        return None if self._child is None else self._child.pid

    async def begin(self) -> None:
        """Afterwards its socket takes connections, and it is born, or will be as soon as there is a template; one that
        cannot be born ends as any other does. Raises StartRefused."""
        try:
            self.address.unlink(missing_ok=True)
            self._listener.bind(str(self.address))
            self.address.chmod(0o600)
            self._listener.listen(BACKLOG)
        except OSError as error:
            self._listener.close()
            self._clear()
            raise StartRefused("spawn", f"The process cannot be started: {error}.") from error
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(self.wanted.start_seconds, self._too_slow))
        self._birth = loop.create_task(self._be_born())
        await asyncio.wait([self._birth], timeout=BIRTH_SECONDS)

    async def _be_born(self) -> None:
        """Its listener is its own afterwards: while we held one, a connection to a dead process would wait for ever."""
        ours, theirs = socket.socketpair()
        try:
            with self._listener, theirs:
                born = await self._births.bear(self.wanted, self._listener, theirs, self._log)
        except (NotBorn, OSError) as error:
            ours.close()
            self._failure = str(error)
            self._never_lived(endings.Ending("setup", self._failure))
        except asyncio.CancelledError:
            ours.close()
            self._never_lived(self._why_given_up())
        else:
            self._child, self._how, self._proxy = born.child, born.how, born.proxy
            await self._take(born.child, ours)

    async def _take(self, child: Child, ours: socket.socket) -> None:
        self._log.say(f"process {self.wanted.process} started as {child.pid} ({self._how})")
        child.exited.add_done_callback(lambda exited: self._ended(exited.result()))
        ours.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self._control, sock=ours)
        if self.gone.done():
            self._control.close()
        else:
            self._renewed_at = time.monotonic()
            self._renew()

    def stop(self, grace: float) -> None:
        """Ask it to finish; after the grace it is killed with its children."""
        if self._child is None:  # it is not born yet
            self.state = STOPPING
            if self._birth is not None:
                self._birth.cancel()
            return
        if grace <= 0:
            self.state = STOPPING
            self._child.kill("stop")
            return
        if self.state != STOPPING:
            self.state = STOPPING
            self._control.send({"type": "stop"})
        timer = asyncio.get_running_loop().call_later(grace, self._child.kill, "grace")
        self._timers.append(timer)

    @property
    def child(self) -> Child | None:
        """None until it is born."""
        return self._child

    def header(self, usage: tuple[int, float]) -> Header:
        """What `processes` tells about it. `usage` is bytes, and seconds of processor time."""
        return {
            "process": self.wanted.process,
            "pid": self.pid,
            "address": str(self.address),
            "release": self.wanted.release,
            "model": self.wanted.model,
            "task": self.wanted.task,
            "state": self.state,
            "started_at": self.started_at,
            "rss_mb": round(usage[0] / sandbox.MB, 1),
            "cpu_seconds": round(usage[1], 3),
        }

    def _renew(self) -> None:
        lease = self._configuration.lease_seconds
        now = time.monotonic()
        if now - self._renewed_at > lease / 2:
            self._was_late_at = now  # this runner was frozen, or had too much to do
        self._renewed_at = now
        self._control.send({"type": "lease", "seconds": lease})
        self._renewal = asyncio.get_running_loop().call_later(lease / RENEWALS, self._renew)

    def _was_renewed(self) -> bool:
        """Whether the lease never came near its end, lately."""
        lease, now = self._configuration.lease_seconds, time.monotonic()
        return now - self._renewed_at <= lease / 2 and now - self._was_late_at > 2 * lease

    def _too_slow(self) -> None:
        if self.state == STARTING:
            if self._child is not None:
                self._child.kill("slow_start")
            elif self._birth is not None:
                self._birth.cancel()

    def _why_given_up(self) -> endings.Ending:
        if self.state == STOPPING:
            return endings.Ending("stopped", "stopped before it began")
        return endings.Ending("slow_start", "given up: its template was not ready in time; its imports take too long")

    def _never_lived(self, ending: endings.Ending) -> None:
        self._end({"code": None, "signal": None, "reason": ending.reason, "message": ending.message})

    def _on_hung_up(self) -> None:
        """Without the line it cannot be asked to stop, and its lease cannot be renewed. One that ends by itself has
        closed it, too."""
        if not self.gone.done() and self._child is not None:
            timer = asyncio.get_running_loop().call_later(HUNG_UP_SECONDS, self._child.kill, "control")
            self._timers.append(timer)

    def _on_frame(self, _: Connection, header: Header, __: bytes) -> None:
        self._heard += 1
        if self._heard > MOST_FRAMES:
            self._control.close()
        elif header["type"] == "ready" and self.state == STARTING:
            self.state, self._was_ready = READY, True
            seconds = round(time.monotonic() - self._began, 4)
            self._log.say(f"ready after {seconds:.3f} s")
            event = {
                "event": "ready",
                "process": self.wanted.process,
                "seconds": seconds,
                "pid": self.pid,
                "how": self._how,
            }
            self._tell(event | {"parts": told.seconds(header.get("seconds"))})
        elif header["type"] == "failed":
            self._failure = told.failure(header)

    def _ended(self, exit: endings.Exit) -> None:
        ending = endings.of_process(
            exit,
            memory_mb=self.wanted.limits.memory_mb,
            tasks=self.wanted.limits.tasks,
            disk_mb=self.wanted.limits.disk_mb,
            lease_seconds=self._configuration.lease_seconds,
            failure=self._failure,
            asked=self.state == STOPPING,
            ready=self._was_ready,
            renewed=self._was_renewed(),
        )
        self._end({"code": exit.code, "signal": exit.signal, "reason": ending.reason, "message": ending.message})

    def _end(self, how: Header) -> None:
        event = {"event": "exited", "process": self.wanted.process} | how
        try:
            self._log.say(how["message"])
            self._clear()
        finally:  # whatever could not be removed, the end must be told
            self.gone.set_result(event)
            self._tell(event)

    def _clear(self) -> None:
        for timer in (*self._timers, *([self._renewal] if self._renewal else [])):
            timer.cancel()
        self._control.close()
        if self._proxy is not None:
            self._proxy.close()
        self._log.close()
        self.address.unlink(missing_ok=True)
        self._births.clear(self.wanted.process)


class Processes:
    """All that live on this machine, and the latest ends."""

    def __init__(self, *, configuration: Configuration, births: Births, tell: Callable[[Header], None]) -> None:
        self._configuration = configuration
        self._births = births
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
        process = Process(wanted, self._configuration, self._births, self._hear)
        self._living[wanted.process] = process
        try:
            await process.begin()
        except StartRefused:
            self._living.pop(wanted.process, None)
            raise
        asyncio.get_running_loop().call_later(PRUNE_SECONDS, logs.prune, self._configuration.logs)
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
        used = usages([process.child for process in self._living.values() if process.child is not None])
        return [process.header(used.get(process.pid or 0, (0, 0.0))) for process in self._living.values()]

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
        gpus=_positive(values, "gpus", 0) if values.get("gpus") else 0,
    )


def checked_seconds(values: dict[str, Any], key: str, default: float) -> float:
    """A length of time that a call may name. Raises ValueError."""
    return default if values.get(key) is None else _positive(values, key, default)


def _positive(values: dict[str, Any], key: str, default: float) -> float:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise ValueError(f"{key} is {value!r}; it must be a number above 0.")
    return value
