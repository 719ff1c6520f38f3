"""Agent: answers calls on the runner's socket. docs/reference/frames.md lists them; every call can be repeated."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ovd_saas.runner import machine, processes, sdk
from ovd_saas.runner.births import Births, Wanted
from ovd_saas.runner.cgroups import Groups
from ovd_saas.runner.children import Nursery
from ovd_saas.runner.configuration import Configuration
from ovd_saas.runner.connections import Caller, Connection, Header
from ovd_saas.runner.environments import Environments
from ovd_saas.runner.failures import PreparationFailed
from ovd_saas.runner.folders import empty
from ovd_saas.runner.models import ModelRefused, Models
from ovd_saas.runner.preparations import Preparations
from ovd_saas.runner.processes import Process, Processes, StartRefused
from ovd_saas.runner.releases import DIGEST, Releases
from ovd_saas.runner.starts import Spawn
from ovd_saas.runner.templates import Templates
from ovd_saas.runner.uploads import LARGEST, LARGEST_MODEL, TooLarge, Upload

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds between two signs of life on a connection that waits or watches
LONGEST_LOG = 10_000  # lines
LAST_GRACE = 1.5  # seconds that processes have when the runner itself must end

Answer = Callable[[Header], None]


class BadCall(Exception):
    """The call is not one of ours, or a value in it is wrong."""


class Agent:
    """The runner as its callers see it."""

    def __init__(self, configuration: Configuration, standing: dict[str, str], groups: Groups) -> None:
        self._configuration = configuration
        self._standing = standing  # each wall: empty if it stands here, else why not
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._nursery = Nursery(Spawn(), groups)
        self._releases = Releases(configuration.releases)
        self._environments = Environments(
            configuration.environments,
            scratch=configuration.scratch,
            uv_cache=configuration.uv_cache,
            nursery=self._nursery,
            build_seconds=configuration.build_seconds,
            may_build=configuration.source_packages,
        )
        kit = sdk.provide(configuration.sdk)
        walls = tuple(name for name, why_not in standing.items() if not why_not)
        self._templates = Templates(configuration, sdk=kit, nursery=self._nursery, walls=walls)
        births = Births(self._templates, scratch=configuration.scratch, sdk=kit, walls=walls)
        self._preparations = Preparations(
            releases=self._releases,
            environments=self._environments,
            births=births,
            scratch=configuration.scratch,
            nursery=self._nursery,
        )
        self._processes = Processes(configuration=configuration, births=births, tell=self._broadcast)
        self._models = Models(
            configuration.models,
            scratch=configuration.scratch,
            nursery=self._nursery,
            in_use=self._processes.models,
            most_bytes=int(configuration.models_mb) << 20,
        )
        self._uploads: dict[tuple[Connection, int], Upload | None] = {}  # None: refused, the rest is ignored
        self._watchers: dict[Connection, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._calls: dict[str, Callable[[Connection, Header, Answer], Coroutine[Any, Any, None]]] = {
            "hello": self._hello,
            "check": self._check,
            "start": self._start,
            "stop": self._stop,
            "processes": self._list,
            "log": self._log,
            "watch": self._watch,
        }

    async def open(self) -> None:
        """Clean up after an earlier runner, then take calls. Whoever calls this holds the lock of the run folder."""
        empty(self._configuration.uploads)
        self._processes.clean()
        self._templates.open()
        self._releases.clean()
        self._models.clean()
        self._environments.clean()
        self._configuration.socket.unlink(missing_ok=True)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: Caller(self._on_frame, self._on_close), self._configuration.socket, backlog=128
        )
        self._configuration.socket.chmod(0o600)

    async def close(self) -> None:
        """Take no more calls, and end all processes and builds."""
        assert self._server is not None
        self._server.close()
        self._configuration.socket.unlink(missing_ok=True)
        await self._preparations.cancel()
        await self._processes.stop_all(LAST_GRACE)
        self._nursery.kill_all("shutdown")
        await self._nursery.empty()

    # --- frames

    def _on_frame(self, connection: Connection, header: Header, body: bytes) -> None:
        call = header.get("call")
        if isinstance(call, bool) or not isinstance(call, int):
            self._fail(connection, None, BadCall("A call needs an integer under `call`."))
        elif header["type"] in ("prepare", "model"):
            self._on_chunk(connection, call, header, body)
        else:
            self._spawn(self._answer(connection, call, header))

    def _on_close(self, connection: Connection) -> None:
        watcher = self._watchers.pop(connection, None)
        if watcher is not None:
            watcher.cancel()
        for key in [key for key in self._uploads if key[0] is connection]:
            upload = self._uploads.pop(key)
            if upload is not None:
                upload.drop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, connection: Connection, call: int, header: Header) -> None:
        def answer(values: Header) -> None:
            connection.send(values | {"call": call})

        try:
            handle = self._calls.get(header["type"])
            if handle is None:
                raise BadCall(
                    f"There is no call {header['type'][:80]!r}; known: {', '.join(self._calls)}, prepare, model."
                )
            await handle(connection, header, answer)
        except Exception as error:
            self._fail(connection, call, error)

    def _fail(self, connection: Connection, call: int | None, error: Exception) -> None:
        """Anticipated refusals have a code of their own; anything else is logged, and the runner lives on."""
        failed: Header = {"type": "failed", "call": call, "message": str(error)}
        if isinstance(error, PreparationFailed):
            failed |= {"stage": error.stage, "code": "preparation"}
        elif isinstance(error, StartRefused):
            failed["code"] = error.code
        elif isinstance(error, BadCall):
            failed["code"] = "bad_call"
        elif isinstance(error, (ModelRefused, TooLarge)):
            failed["code"] = "bad_model"
        else:
            log.exception("A call failed unexpectedly.", exc_info=error)
            failed |= {"code": "internal", "message": f"The runner failed: {type(error).__name__}: {error}"}
        connection.send(failed)

    def _broadcast(self, event: Header) -> None:
        for watcher in list(self._watchers):
            watcher.send({"type": "event"} | event)

    # --- uploads

    def _on_chunk(self, connection: Connection, call: int, header: Header, body: bytes) -> None:
        """A piece of a release's archive, or of a model's."""
        key = (connection, call)
        is_model = header["type"] == "model"
        try:
            digest = _text(header, "model" if is_model else "release", DIGEST.fullmatch)
            if key not in self._uploads:
                largest = LARGEST_MODEL if is_model else LARGEST
                self._uploads[key] = Upload(self._configuration.uploads, largest=largest)
            upload = self._uploads[key]
            if upload is not None:
                upload.take(body)
        except (BadCall, TooLarge) as error:
            self._refuse_upload(key)
            is_archive = isinstance(error, TooLarge) and not is_model
            self._fail(connection, call, PreparationFailed("unpack", str(error)) if is_archive else error)
            return
        if header.get("last"):
            del self._uploads[key]
            if upload is not None:
                archive = upload.finish()
                work = (
                    self._keep_model(connection, call, digest, archive, upload.digest)
                    if is_model
                    else self._prepare(connection, call, digest, archive)
                )
                self._spawn(work)

    def _refuse_upload(self, key: tuple[Connection, int]) -> None:
        upload = self._uploads.get(key)
        if upload is not None:
            upload.drop()
        self._uploads[key] = None

    async def _prepare(self, connection: Connection, call: int, release: str, archive: Path) -> None:
        beating = self._spawn(self._beat(connection, {"type": "working", "call": call}))
        try:
            prepared = await self._preparations.prepare(
                release, archive, lambda text: connection.send({"type": "log", "call": call, "text": text})
            )
            connection.send({"type": "prepared", "call": call} | prepared.as_header())
        except Exception as error:  # also of a schema that no header can hold
            self._fail(connection, call, error)
        finally:
            beating.cancel()

    async def _check(self, connection: Connection, header: Header, answer: Answer) -> None:
        release = _text(header, "release", DIGEST.fullmatch)
        beating = self._spawn(self._beat(connection, {"type": "working", "call": header["call"]}))
        try:
            found = await self._preparations.check(release, lambda text: answer({"type": "log", "text": text}))
            answer({"type": "checked"} | found)
        finally:
            beating.cancel()

    async def _keep_model(self, connection: Connection, call: int, model: str, archive: Path, actual: str) -> None:
        beating = self._spawn(self._beat(connection, {"type": "working", "call": call}))
        try:
            await self._models.keep(model, archive, actual)
        except Exception as error:
            self._fail(connection, call, error)
        else:
            connection.send({"type": "provided", "call": call})
        finally:
            beating.cancel()

    async def _beat(self, connection: Connection, header: Header) -> None:
        while connection.is_open:
            await asyncio.sleep(HEARTBEAT)
            connection.send(header)

    # --- the other calls

    async def _hello(self, _: Connection, __: Header, answer: Answer) -> None:
        facts = machine.facts() | {"pid": os.getpid(), "started_at": self._started_at}
        facts |= {"walls": self._standing, "templates": self._templates.headers()}
        facts |= {"applications_mb": self._configuration.applications_mb}
        facts |= {"templates_mb": self._configuration.templates_mb}
        answer({"type": "hello"} | facts | {"processes": self._processes.headers()})

    async def _start(self, _: Connection, header: Header, answer: Answer) -> None:
        process = await self._processes.start(self._wanted(header))
        answer(_started(process))

    def _wanted(self, header: Header) -> Wanted:
        release = _text(header, "release", DIGEST.fullmatch)
        environment = self._environments.find(_text(header, "environment", DIGEST.fullmatch))
        if environment is None or self._preparations.find(release) is None:
            raise StartRefused("not_prepared", f"The release {release} is not prepared on this machine: prepare it.")
        concurrency = header.get("concurrency", 1)
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or not 1 <= concurrency <= 1024:
            raise BadCall(f"concurrency is {concurrency!r}; it must be a whole number from 1 to 1024.")
        try:
            limits = processes.checked_limits(header)
            start_seconds = processes.checked_seconds(header, "start_seconds", self._configuration.start_seconds)
        except ValueError as error:
            raise BadCall(str(error)) from None
        model = None if header.get("model") is None else _text(header, "model", DIGEST.fullmatch)
        return Wanted(
            process=_text(header, "process", processes.ID.fullmatch),
            release=release,
            source=self._releases.source(release),
            environment=environment.digest,
            python=environment.python,
            model=model,
            model_folder=None if model is None else self._model_folder(model),
            task=header.get("task") is True,
            concurrency=concurrency,
            limits=limits,
            start_seconds=start_seconds,
            preload=_texts(header, "preload"),
            fork=header.get("fork") is not False,
            background=header.get("background") is True,
            hosts=_texts(header, "hosts"),
        )

    def _model_folder(self, digest: str) -> Path:
        folder = self._models.find(digest)
        if folder is None:
            raise StartRefused("no_model", f"The model {digest} is not on this machine: provide it.")
        return folder

    async def _stop(self, _: Connection, header: Header, answer: Answer) -> None:
        process = _text(header, "process", processes.ID.fullmatch)
        grace = header.get("grace", 0)
        if isinstance(grace, bool) or not isinstance(grace, (int, float)) or not 0 <= grace < 1e6:
            raise BadCall(f"grace is {grace!r}; it must be a number of seconds, 0 or more.")
        if not self._processes.stop(process, grace):
            raise StartRefused("unknown_process", f"No process {process} lives here.")
        answer({"type": "stopping"})

    async def _list(self, _: Connection, __: Header, answer: Answer) -> None:
        answer({"type": "processes", "processes": self._processes.headers()})

    async def _log(self, _: Connection, header: Header, answer: Answer) -> None:
        process = _text(header, "process", processes.ID.fullmatch)
        lines = header.get("lines", 200)
        if isinstance(lines, bool) or not isinstance(lines, int) or not 1 <= lines <= LONGEST_LOG:
            raise BadCall(f"lines is {lines!r}; it must be a whole number from 1 to {LONGEST_LOG}.")
        try:
            text = self._processes.log(process, lines)
        except FileNotFoundError:
            raise StartRefused("unknown_process", f"There is no log of a process {process} here.") from None
        answer({"type": "log", "text": text})

    async def _watch(self, connection: Connection, _: Header, answer: Answer) -> None:
        if connection.is_open and connection not in self._watchers:
            beat = self._beat(connection, {"type": "event", "event": "alive"})
            self._watchers[connection] = self._spawn(beat)
        answer({"type": "watching", "processes": self._processes.headers(), "exits": self._processes.exits()})


def _text(header: Header, key: str, check: Callable[[str], Any]) -> str:
    value = header.get(key)
    if not isinstance(value, str) or not check(value):
        raise BadCall(f"{key} is {str(value)[:80]!r}; it must be a short text of letters, digits, - and _.")
    return value


def _texts(header: Header, key: str) -> tuple[str, ...]:
    values = header.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadCall(f"{key} must be a list of texts.")
    return tuple(values)


def _started(process: Process) -> Header:
    return {"type": "started", "pid": process.pid, "address": str(process.address)}
