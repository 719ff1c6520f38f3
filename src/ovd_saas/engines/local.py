"""Local: the engine for the runner of this machine, over its unix socket. Blocks; any thread may call."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ovd import protocol
from ovd_saas.engines.base import (
    CallRefused,
    Checked,
    Connected,
    Disconnected,
    EngineError,
    Event,
    Exited,
    Machine,
    NoModel,
    NotPrepared,
    Prepared,
    PrepareFailed,
    Process,
    Ready,
    RunnerDown,
    StartFailed,
    Template,
)
from ovd_saas.engines.base import Started as Started

log = logging.getLogger(__name__)

ANSWER_SECONDS = 20.0  # for an answer; and between two signs of life, which the runner gives every 5 s
RETRY_SECONDS = 0.25  # between two attempts to reach a runner that is down
KEPT = 8  # idle connections

Header = dict[str, Any]


class Local:
    """The runner whose sockets are in `run_dir`."""

    def __init__(self, run_dir: Path, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._socket = run_dir / "runner.sock"
        self._answer_seconds = answer_seconds
        self._idle: list[_Line] = []
        self._lock = threading.Lock()

    def hello(self) -> Machine:
        answer = self._call({"type": "hello"})
        return Machine(
            name=answer["name"],
            cpus=answer["cpus"],
            memory_mb=answer["memory_mb"],
            python=answer["python"],
            platform=answer["platform"],
            pid=answer["pid"],
            started_at=answer["started_at"],
            processes=_processes(answer),
            load=answer["load"],
            busy_seconds=answer.get("busy_seconds"),
            used_mb=answer.get("used_mb", 0),
            walls=answer.get("walls", {}),
            templates=tuple(
                Template(**template | {"preload": tuple(template["preload"])})
                for template in answer.get("templates", ())
            ),
            applications_mb=answer.get("applications_mb", 0),
            templates_mb=answer.get("templates_mb", 0),
        )

    def prepare(self, release_digest: str, archive: Iterable[bytes], on_log: Callable[[str], None]) -> Prepared:
        with self._line(fresh=True) as line:  # an archive can be read once: no second try on another connection
            line.upload({"type": "prepare", "release": release_digest}, archive)
            while True:
                answer = line.receive()
                if answer["type"] == "log":
                    on_log(answer["text"])
                elif answer["type"] == "prepared":
                    line.is_reusable = True
                    return _prepared(answer)
                elif answer["type"] == "failed":
                    raise _failure(answer)

    def check(self, release_digest: str, on_log: Callable[[str], None]) -> Checked:
        with self._line(fresh=True) as line:
            line.send({"type": "check", "release": release_digest})
            while True:
                answer = line.receive()
                if answer["type"] == "log":
                    on_log(answer["text"])
                elif answer["type"] == "checked":
                    line.is_reusable = True
                    return Checked(answer["samples"], answer["seconds"], answer["error"])
                elif answer["type"] == "failed":
                    line.is_reusable = True
                    if answer.get("code") == "not_prepared":
                        raise NotPrepared(answer["message"])
                    raise _failure(answer)

    def start(
        self,
        *,
        process: str,
        release: str,
        environment: str,
        model: str | None = None,
        task: bool = False,
        concurrency: int = 1,
        memory_mb: int = 512,
        cpus: float = 1,
        disk_mb: int = 256,
        gpus: float = 0,
        start_seconds: float | None = None,
        preload: Sequence[str] = (),
        fork: bool = True,
        background: bool = False,
        hosts: Sequence[str] = (),
    ) -> Started:
        call: Header = {"type": "start", "process": process, "release": release, "environment": environment}
        call |= {"model": model, "task": task, "concurrency": concurrency, "start_seconds": start_seconds}
        call |= {"memory_mb": memory_mb, "cpus": cpus, "disk_mb": disk_mb, "gpus": gpus}
        call |= {"preload": list(preload), "fork": fork, "background": background, "hosts": list(hosts)}
        try:
            answer = self._call(call)
        except CallRefused as refused:
            if refused.code == "not_prepared":
                raise NotPrepared(refused.message) from None
            if refused.code == "no_model":
                raise NoModel(refused.message) from None
            raise StartFailed(refused.code, refused.message) from None
        return Started(answer.get("pid"), answer["address"])

    def provide_model(self, digest: str, archive: Iterable[bytes]) -> None:
        with self._line(fresh=True) as line:
            line.upload({"type": "model", "model": digest}, archive)
            while (answer := line.receive())["type"] == "working":
                pass
            if answer["type"] == "failed":
                raise _failure(answer)
            line.is_reusable = True

    def stop(self, process: str, grace: float) -> None:
        try:
            self._call({"type": "stop", "process": process, "grace": grace})
        except CallRefused as refused:
            if refused.code != "unknown_process":  # it does not live, and that is what was wanted
                raise

    def processes(self) -> tuple[Process, ...]:
        return _processes(self._call({"type": "processes"}))

    def log(self, process: str, lines: int = 200) -> str:
        text: str = self._call({"type": "log", "process": process, "lines": lines})["text"]
        return text

    def watch(self, on_event: Callable[[Event], None]) -> "Subscription":
        return Subscription(self._open, on_event)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            lines, self._idle = self._idle, []
        for line in lines:
            line.close()

    def _call(self, header: Header) -> Header:
        """One call, one answer. A connection that idled may have died with its runner, so it gets a second try."""
        with self._lock:
            idle = bool(self._idle)
        try:
            return self._call_once(header)
        except RunnerDown:
            if not idle:
                raise
            self.close()
            return self._call_once(header)

    def _call_once(self, header: Header) -> Header:
        with self._line() as line:
            line.send(header)
            answer = line.receive()
            line.is_reusable = True
            if answer["type"] == "failed":
                raise _failure(answer)
            return answer

    @contextmanager
    def _line(self, *, fresh: bool = False) -> "Iterator[_Line]":
        with self._lock:
            line = self._idle.pop() if self._idle and not fresh else None
        if line is None:
            line = self._open()
        line.is_reusable = False
        try:
            yield line
        finally:
            self._put_back(line)

    def _put_back(self, line: "_Line") -> None:
        with self._lock:
            if line.is_reusable and len(self._idle) < KEPT:
                self._idle.append(line)
                return
        line.close()

    def _open(self) -> "_Line":
        return _Line(self._socket, self._answer_seconds)


class _Line:
    """One connection to the runner, with one call on it at a time."""

    def __init__(self, path: Path, answer_seconds: float) -> None:
        self.is_reusable = False
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(answer_seconds)
        self._call = 0
        try:
            self._sock.connect(str(path))
        except OSError as error:
            self._sock.close()
            raise RunnerDown(f"The runner at {path} does not answer: {error}. Is it started (`ovd runner`)?") from error

    def send(self, header: Header, body: bytes = b"", *, again: bool = False) -> None:
        if not again:
            self._call += 1
        try:
            protocol.send(self._sock, header | {"call": self._call}, body)
        except OSError as error:
            raise RunnerDown(f"The runner hung up: {error}.") from error

    def upload(self, header: Header, archive: Iterable[bytes]) -> None:
        is_first = True
        for chunk in archive:
            for start in range(0, len(chunk), protocol.CHUNK):
                piece = chunk[start : start + protocol.CHUNK]
                self.send(header | {"last": False}, piece, again=not is_first)
                is_first = False
        self.send(header | {"last": True}, again=not is_first)

    def receive(self) -> Header:
        try:
            frame = protocol.receive(self._sock)
        except TimeoutError:
            raise RunnerDown("The runner does not answer in time; it may be frozen or overloaded.") from None
        except (OSError, protocol.ProtocolError) as error:
            raise RunnerDown(f"The connection to the runner broke: {error}.") from error
        if frame is None:
            raise RunnerDown("The runner ended during the call.")
        return frame[0]

    def hang_up(self) -> None:
        """Wake a thread that waits in `receive`."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


class Subscription:
    """Delivers events from a thread of its own, and connects again whenever the runner was away."""

    def __init__(self, connect: Callable[[], _Line], on_event: Callable[[Event], None]) -> None:
        self._connect = connect
        self._on_event = on_event
        self._closed = threading.Event()
        self._line: _Line | None = None
        self._is_connected: bool | None = None  # as the subscriber was told last
        self._thread = threading.Thread(target=self._run, name="runner-events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        line = self._line
        if line is not None:
            line.hang_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._read()
            except RunnerDown as down:
                if self._is_connected is not False:
                    self._deliver(Disconnected(str(down)))
                self._is_connected = False
            self._closed.wait(RETRY_SECONDS)

    def _read(self) -> None:
        line = self._line = self._connect()
        try:
            line.send({"type": "watch"})
            while not self._closed.is_set():
                event = _event(line.receive())
                if isinstance(event, Connected):
                    self._is_connected = True
                if event is not None:
                    self._deliver(event)
        finally:
            self._line = None
            line.close()

    def _deliver(self, event: Event) -> None:
        """An error of the subscriber's is logged: it must not cost him the events that follow."""
        if self._closed.is_set():
            return
        try:
            self._on_event(event)
        except Exception:
            log.exception("A subscriber failed at %s.", event)


def _event(header: Header) -> Event | None:
    if header["type"] == "watching":
        return Connected(_processes(header), tuple(_exited(exit) for exit in header["exits"]))
    if header.get("event") == "ready":
        return Ready(header["process"], header["seconds"], header["parts"], header.get("pid"), header.get("how", ""))
    if header.get("event") == "exited":
        return _exited(header)
    return None  # a sign of life


def _exited(header: Header) -> Exited:
    return Exited(header["process"], header["code"], header["signal"], header["reason"], header["message"])


def _processes(header: Header) -> tuple[Process, ...]:
    return tuple(Process(**process) for process in header["processes"])


def _prepared(header: Header) -> Prepared:
    return Prepared(
        environment=header["environment"],
        schema=header["schema"],
        manifest=header["manifest"],
        samples=header["samples"],
        seconds=header["seconds"],
        python=header.get("python", ""),
        environment_mb=header.get("environment_mb", 0),
    )


def _failure(header: Header) -> EngineError:
    if "stage" in header:
        return PrepareFailed(header["stage"], header["message"])
    return CallRefused(header.get("code", "unknown"), header["message"])
