"""Births: what a process of an application is given when it is forked: its view of files, its folders and its line."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovd.walls import calls
from ovd_saas.runner import folders, logs, machine, proxy, sandbox
from ovd_saas.runner.children import Child, Output
from ovd_saas.runner.templates import ForkFailed, TemplateDied, Templates, Wish

PROXY_PORT = 3128  # of the door to the network, on the loopback of a process's own namespace
DOOR_SECONDS = 5.0


class NotBorn(Exception):
    """The process could not begin; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """A process that somebody wants."""

    process: str  # id
    release: str  # digest
    source: Path  # of the release
    environment: str  # digest
    python: Path  # of its environment
    limits: sandbox.Limits
    model: str | None = None  # digest
    model_folder: Path | None = None
    task: bool = False  # it does one task (learn or evaluate) instead of serving
    concurrency: int = 1
    start_seconds: float = 300.0  # it must be ready by then
    preload: tuple[str, ...] = ()
    fork: bool = True  # from a template that is kept
    background: bool = False  # it gives way to others
    hosts: tuple[str, ...] = ()  # host:port that it may reach


@dataclass(frozen=True)
class Born:
    """A process that lives."""

    child: Child
    how: str  # fork | template | spawn
    proxy: proxy.Proxy | None


@dataclass(frozen=True)
class View:
    """Where a process finds its things: in a room of its own, or where they are on the machine."""

    app: str
    model: str | None
    scratch: str


class Births:
    """Has processes forked by templates, each with what is its own."""

    def __init__(self, templates: Templates, *, scratch: Path, sdk: Path, walls: tuple[str, ...]) -> None:
        self._templates = templates
        self._scratch = scratch
        self._sdk = sdk
        self._walls = walls
        self._has_rooms = "files" in walls

    async def bear(self, wanted: Wanted, listener: socket.socket, control: socket.socket, log: logs.Log) -> Born:
        """A process that serves, or does one task. Raises NotBorn."""
        with contextlib.ExitStack() as lines:
            more = {"listen": listener.fileno(), "control": control.fileno()}
            outer = None
            if wanted.hosts and "network" in self._walls:
                outer, inner = (lines.enter_context(line) for line in socket.socketpair())
                more["network"] = inner.fileno()
            child, how = await self._fork(wanted, more, lambda _, data: log.append(data))
            try:
                opened = None if outer is None else proxy.serve(await _door(outer), wanted.hosts, log.say)
            except BaseException:
                child.kill("stop")
                raise
        return Born(child, how, opened)

    async def check(self, wanted: Wanted, output: Output) -> Child:
        """A process that imports the application in a folder, and runs its samples. Raises NotBorn."""
        child, _ = await self._fork(wanted, {}, output, check=True)
        return child

    def clear(self, name: str) -> None:
        """Remove what a process wrote."""
        folders.remove(self._scratch / name)

    def _view(self, wanted: Wanted) -> View:
        model = wanted.model_folder
        if self._has_rooms:
            return View("/app", None if model is None else "/model", "/scratch")
        return View(str(wanted.source), None if model is None else str(model), str(self._scratch / wanted.process))

    async def _fork(
        self, wanted: Wanted, more: dict[str, int], output: Output, *, check: bool = False
    ) -> tuple[Child, str]:
        view = self._view(wanted)
        options: dict[str, Any] = {"folder": view.app, "scratch": view.scratch, "model": view.model}
        options |= {"concurrency": wanted.concurrency, "task": wanted.task}
        is_on_disk = wanted.task or not self._has_rooms  # what one learns from may be larger than memory
        scratch = self._scratch / wanted.process if is_on_disk else None
        try:
            if scratch is not None:
                folders.empty(scratch)
            with self._mounts(wanted.source, wanted.model_folder, scratch) as mounts:
                wish = Wish(
                    environment=wanted.environment,
                    python=wanted.python,
                    preload=wanted.preload,
                    fork=wanted.fork,
                    check=check,
                    options=options,
                    variables=self._variables(view, wanted, has_network="network" in more),
                    folder=view.scratch,
                    limits=wanted.limits,
                    readable=self._readable(view, wanted.python),
                    writable=(view.scratch,),
                    devices=machine.graphics_cards() if wanted.limits.gpus else (),
                    owned=() if scratch is None else (scratch,),
                    descriptors=mounts | more,
                    proxy_port=PROXY_PORT,
                    name=wanted.process,
                    background=wanted.background,
                    disk=scratch,
                )
                return await self._templates.bear(wish, output)
        except (TemplateDied, ForkFailed, OSError) as error:
            raise NotBorn(str(error)) from error

    @contextlib.contextmanager
    def _mounts(self, source: Path, model: Path | None, scratch: Path | None) -> Iterator[dict[str, int]]:
        """Descriptors of what is put into the room; the process's parts of our file system, and nothing around them."""
        with contextlib.ExitStack() as stack:
            found: dict[str, int] = {}
            if self._has_rooms:
                for name, path in (("app", source), ("model", model), ("scratch", scratch)):
                    if path is None:
                        continue
                    found[name] = calls.open_tree(str(path))
                    stack.callback(os.close, found[name])
                    if name != "scratch":
                        calls.make_read_only(found[name])
            yield found

    def _variables(self, view: View, wanted: Wanted, *, has_network: bool) -> dict[str, str]:
        found = sandbox.variables(
            scratch=view.scratch, path=[wanted.python.parent], python_path=[self._sdk], cpus=wanted.limits.cpus
        )
        if has_network:
            address = f"http://127.0.0.1:{PROXY_PORT}"
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                found |= {name: address, name.lower(): address}
        return found

    def _readable(self, view: View, python: Path) -> tuple[str, ...]:
        own = (python.resolve().parent.parent, python.parent.parent, self._sdk, view.app, view.model)
        return tuple(dict.fromkeys(str(path) for path in own if path is not None))


async def _door(line: socket.socket) -> socket.socket:
    """The listener that the process made in its network, handed to us. Raises NotBorn."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[None] = loop.create_future()
    line.setblocking(False)
    loop.add_reader(line.fileno(), lambda: None if came.done() else came.set_result(None))
    try:
        async with asyncio.timeout(DOOR_SECONDS):
            await came
        _, descriptors, _, _ = socket.recv_fds(line, 16, 1)
    except (TimeoutError, OSError) as error:
        raise NotBorn(f"The process made no door to the network: {error}") from error
    finally:
        loop.remove_reader(line.fileno())
    if not descriptors:
        raise NotBorn("The process made no door to the network.")
    return socket.socket(fileno=descriptors[0])
