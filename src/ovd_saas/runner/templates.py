"""Templates: processes that have imported an environment's libraries, and fork the processes of applications on order.
One for each environment and list of libraries, kept while memory allows: those unused for longest go first."""

import asyncio
import json
import logging
import os
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ovd.walls.namespaces import IDS
from ovd_saas.runner import footprints, launching, logs, machine, sandbox, starts
from ovd_saas.runner.children import Child, Nursery, Output
from ovd_saas.runner.configuration import Configuration
from ovd_saas.runner.connections import Header

log = logging.getLogger(__name__)

FORK, TEMPLATE, SPAWN = "fork", "template", "spawn"  # how a process was born

LONGEST_ANSWER = 1 << 16  # bytes
ANSWER_SECONDS = 60.0  # for a fork; a machine in trouble may need long
BUDGET_SECONDS = 5.0  # between two looks at what templates hold
SHUN_SECONDS = 300.0  # a template that died while it imported is not tried again for so long
LEAST_MB = 2048  # that one template may hold, however small the budget: beyond the budget it is used once
TASKS = 1024  # processes and threads of a template, without those it gave away


class TemplateDied(Exception):
    """It ended, or did not answer; the text says why."""


class ForkFailed(Exception):
    """The template lives, but the process could not begin; the text says why."""


@dataclass(frozen=True)
class Kind:
    """What tells two templates apart."""

    environment: str  # digest
    preload: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """A process that is to be forked."""

    environment: str  # digest
    python: Path  # of the environment
    preload: tuple[str, ...]
    fork: bool  # from a template that is kept; False: from one that imports nothing ahead and is used once
    check: bool  # it tries the application and ends, instead of serving
    options: dict[str, Any]  # `ovd.process.Options` without the descriptors
    variables: dict[str, str]
    folder: str  # where it begins, as it sees it
    limits: sandbox.Limits
    readable: tuple[str, ...]  # as it sees them, beside what all see
    writable: tuple[str, ...]
    devices: tuple[str, ...]  # beside those that all see
    owned: tuple[Path, ...] = ()  # folders here that are to be its user's
    descriptors: dict[str, int] = field(default_factory=dict)  # listen, control, app, model, scratch, network
    proxy_port: int = 0
    name: str = ""  # of the process, for people
    background: bool = False  # it gives way to all others
    disk: Path | None = None  # its scratch folder, where that is not in memory


class Template:
    """One process that forks. `warm` completes when its libraries are imported."""

    def __init__(self, kind: Kind, first_uid: int | None, orders: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.kind = kind
        self.first_uid = first_uid
        self.warm: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.used_at = time.time()
        self.memory_mb = 0.0
        self.children: dict[int, int] = {}  # process: its user within the range
        self.in_use = 0  # wishes that wait for it
        self.child: Child | None = None
        self.spare: int | None = None  # a process that waits for the next order
        self.has_ended = False
        self._orders = orders
        self._order = 0
        self._answer: asyncio.Future[dict[str, Any]] | None = None
        self._one_at_a_time = asyncio.Lock()
        orders.setblocking(False)
        loop.add_reader(orders.fileno(), self._hear)

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    async def fork(self, wish: Wish, stdout: int, stderr: int) -> int:
        """The number of the new process, a child of the runner from now on. Raises TemplateDied, ForkFailed."""
        async with self._one_at_a_time:
            uid = self._free_uid() if self.first_uid is not None else None
            if uid is not None and self.first_uid is not None:
                for path in wish.owned:
                    os.chown(path, self.first_uid + uid, self.first_uid + uid)
            self._order += 1
            descriptors = wish.descriptors | {"stdout": stdout, "stderr": stderr}
            order = _order(wish, self._order, uid, list(descriptors))
            said = await self._ask(order, list(descriptors.values()))
        if said.get("type") != "born":
            raise ForkFailed(str(said.get("message") or "The template gave no reason."))
        pid = said.get("pid")
        if not isinstance(pid, int) or not footprints.is_child(pid, os.getpid()):
            raise TemplateDied("The template named a process that is not ours.")
        self.spare = None
        self.children[pid] = uid or 0
        return pid

    def header(self) -> Header:
        """What `hello` tells about it."""
        used_at = datetime.fromtimestamp(self.used_at, UTC).isoformat(timespec="seconds")
        return {
            "environment": self.kind.environment,
            "preload": list(self.kind.preload),
            "pid": self.pid,
            "memory_mb": self.memory_mb,
            "children": len(self.children),
            "used_at": used_at.replace("+00:00", "Z"),
        }

    def close(self, reason: str) -> None:
        """Take no more orders, and let those who wait know."""
        if self._orders.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._orders.fileno())
            self._orders.close()
        for waiting in (self.warm, self._answer):
            if waiting is not None and not waiting.done():
                waiting.set_exception(TemplateDied(reason))
        if self.warm.done() and not self.warm.cancelled():
            self.warm.exception()  # nobody may have waited for it

    async def _ask(self, order: bytes, descriptors: list[int]) -> dict[str, Any]:
        if self._orders.fileno() < 0:
            raise TemplateDied("The template has ended.")
        answer = self._answer = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._orders, [order], descriptors)
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.shield(answer)
        except TimeoutError:
            raise TemplateDied(f"The template did not answer within {ANSWER_SECONDS:g} s.") from None
        except OSError as error:
            raise TemplateDied(f"The template cannot be reached: {error}.") from error
        finally:
            self._answer = None

    def _hear(self) -> None:
        try:
            data = self._orders.recv(LONGEST_ANSWER)
            said = json.loads(data) if data else None
        except BlockingIOError:
            return
        except (OSError, ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self.close("The template hung up, or said what is not an answer.")
        elif said.get("type") == "warm" and not self.warm.done():
            self.warm.set_result(said)
        elif said.get("type") == "spare":
            self.spare = said.get("pid")
        elif self._answer is not None and not self._answer.done() and said.get("order") == self._order:
            self._answer.set_result(said)

    def _free_uid(self) -> int:
        taken = set(self.children.values())
        return next(uid for uid in range(1, IDS) if uid not in taken)


def _order(wish: Wish, number: int, uid: int | None, descriptors: list[str]) -> bytes:
    limits = wish.limits
    return json.dumps(
        {
            "order": number,
            "check": wish.check,
            "options": wish.options,
            "variables": wish.variables,
            "folder": wish.folder,
            "threads": sandbox.threads(limits.cpus),
            "proxy_port": wish.proxy_port,
            "descriptors": descriptors,
            "enclosure": {
                "uid": uid,
                "memory_mb": limits.memory_mb,
                "disk_mb": limits.disk_mb,
                "tasks": limits.tasks,
                "readable": wish.readable,
                "writable": wish.writable,
                "devices": wish.devices,
                "network": "network" in descriptors,
            },
        }
    ).encode()


class Templates:
    """All that live on this machine, and the way to have a process forked."""

    def __init__(self, configuration: Configuration, *, sdk: Path, nursery: Nursery, walls: tuple[str, ...]) -> None:
        self._configuration = configuration
        self._sdk = sdk
        self._nursery = nursery
        self._walls = walls
        self._has_users = "user" in walls and os.getuid() == 0 and not configuration.is_namespaced
        self._kept: dict[Kind, Template] = {}
        self._ranges: dict[int, Template] = {}  # the users of a template and its children, by the first
        self._shunned: dict[Kind, float] = {}  # until time.monotonic()
        self._log: logs.Log | None = None
        self._watching: asyncio.Task[None] | None = None
        self._all: set[Template] = set()
        self._graphics_cards = machine.graphics_cards()
        nursery.announced = lambda: {template.spare for template in self._all if template.spare is not None}

    def open(self) -> None:
        """The log is there; call it once the folders are."""
        self._log = logs.Log(self._configuration.logs / "templates.log")

    async def bear(self, wish: Wish, output: Output) -> tuple[Child, str]:
        """A new process, and how it was born: `fork`, `template` when one was built first, or `spawn`. Raises
        TemplateDied, ForkFailed."""
        kind = Kind(wish.environment, wish.preload)
        if wish.fork and self._shunned.get(kind, 0.0) < time.monotonic():
            try:
                return await self._from_kept(kind, wish, output)
            except TemplateDied as died:
                log.warning("A template failed; its process begins from nothing. %s", died)
        return await self._from_nothing(wish, output), SPAWN

    async def _from_kept(self, kind: Kind, wish: Wish, output: Output) -> tuple[Child, str]:
        template = self._kept.get(kind)
        how = FORK if template is not None and template.warm.done() else TEMPLATE
        if template is None:
            template = self._kept[kind] = self._build(kind, wish.python)
            self._watch()
        template.in_use += 1
        try:
            await asyncio.shield(template.warm)
            return await self._fork(template, wish, output), how
        finally:
            template.in_use -= 1
            template.used_at = time.time()

    async def _from_nothing(self, wish: Wish, output: Output) -> Child:
        template = self._build(Kind(wish.environment, ()), wish.python)
        try:
            await template.warm
            return await self._fork(template, wish, output)
        finally:
            template.close("It was used once.")  # which ends it

    async def _fork(self, template: Template, wish: Wish, output: Output) -> Child:
        with self._nursery.expecting(), starts.pipes() as pipes:
            pid = await template.fork(wish, pipes.out_writer, pipes.err_writer)
            if self._nursery.knows(pid):
                raise TemplateDied("The template named a process that is another's.")
            mark = Path(wish.variables[sandbox.MARK]) if "processes" not in self._walls else None
            child = self._nursery.take(
                starts.Forked(pid, *pipes.keep()),
                limits=wish.limits,
                output=output,
                mark=mark,
                name=wish.name,
                background=wish.background,
                scratch_mb=0 if wish.disk is not None else wish.limits.disk_mb,
                disk=wish.disk,
            )
        child.exited.add_done_callback(lambda _: self._forget(template, pid))
        return child

    def _build(self, kind: Kind, python: Path) -> Template:
        """A process that begins to import. Raises TemplateDied when it cannot even be executed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, starts.pipes() as pipes:
            first_uid = self._free_range() if self._has_users else None
            try:
                pid = launching.launch(self._launch(kind, python, theirs.fileno(), pipes, first_uid))
            except OSError as error:
                ours.close()
                raise TemplateDied(f"It cannot be started: {error}.") from error
            template = Template(kind, first_uid, ours)
            limits = sandbox.Limits(memory_mb=max(LEAST_MB, self._configuration.templates_mb), tasks=TASKS)
            template.child = self._nursery.take(
                starts.Forked(pid, *pipes.keep()), limits=limits, output=lambda _, data: self._print(data)
            )
            template.child.is_template = True
        self._all.add(template)
        if first_uid is not None:
            self._ranges[first_uid] = template
        self._say(f"template {pid} begins to import {', '.join(kind.preload) or 'nothing'}")
        template.child.exited.add_done_callback(lambda exited: self._ended(template, exited.result().last_error_line))
        template.warm.add_done_callback(lambda warm: self._say_warm(template, warm))
        return template

    def _launch(
        self, kind: Kind, python: Path, orders: int, pipes: starts.Pipes, first_uid: int | None
    ) -> launching.Launch:
        base = self._configuration.room
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix, environment = python.resolve().parent.parent, python.parent.parent
        scratch = "/scratch" if "files" in self._walls else "/"  # where libraries may write that do when imported
        return launching.Launch(
            arguments=[
                str(python),
                "-m",
                "ovd.template",
                "--orders",
                str(orders),
                "--preload",
                ",".join(kind.preload),
                "--walls",
                ",".join(self._walls),
            ],
            variables=sandbox.variables(scratch=scratch, path=[python.parent], python_path=[self._sdk], cpus=1),
            inherited=orders,
            stdout=pipes.out_writer,
            stderr=pipes.err_writer,
            walls=self._walls,
            base=base,
            read_only=tuple(str(path) for path in (prefix, environment, self._sdk) if path != Path("/usr")),
            devices=self._graphics_cards,
            first_uid=first_uid,
        )

    def _say_warm(self, template: Template, warm: "asyncio.Future[dict[str, Any]]") -> None:
        if warm.cancelled() or warm.exception() is not None:
            return
        said = warm.result()
        self._say(f"template {template.pid} is warm after {said.get('seconds')} s: {said.get('imported')}")
        for name, why in dict(said.get("missing") or {}).items():
            self._say(f"template {template.pid} could not import {name}: {why}")

    def _ended(self, template: Template, last_line: str) -> None:
        if not template.warm.done():  # it died of what it imports: its applications are better off without it
            self._shunned[template.kind] = time.monotonic() + SHUN_SECONDS
        if self._kept.get(template.kind) is template:
            del self._kept[template.kind]
        template.close(f"The template ended: {last_line or 'it printed nothing'}")
        template.has_ended = True
        self._all.discard(template)
        self._forget(template, None)

    def _forget(self, template: Template, pid: int | None) -> None:
        """One of its children has ended, or itself; when all have, its users are free."""
        if pid is not None:
            template.children.pop(pid, None)
        if template.has_ended and not template.children and template.first_uid is not None:
            self._ranges.pop(template.first_uid, None)

    def _free_range(self) -> int:
        first, count = self._configuration.uids
        for candidate in range(first, first + count - IDS + 1, IDS):
            if candidate not in self._ranges:
                return candidate
        raise TemplateDied("All users of OVD_UIDS are taken. Give the runner a larger range.")

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._keep_to_budget())

    async def _keep_to_budget(self) -> None:
        while self._kept:
            await asyncio.wait([template.warm for template in self._kept.values()])
            self.measure()
            self._evict()
            await asyncio.sleep(BUDGET_SECONDS)

    def measure(self) -> None:
        """Look at what each holds."""
        for template in self._kept.values():
            template.memory_mb = round(footprints.shared_fairly([template.pid]) / sandbox.MB, 1)

    def _evict(self) -> None:
        held = sum(template.memory_mb for template in self._kept.values())
        for template in sorted(self._kept.values(), key=lambda template: template.used_at):
            if held <= self._configuration.templates_mb:
                return
            if template.in_use == 0:
                held -= template.memory_mb
                self._say(f"template {template.pid} gives its {template.memory_mb:.0f} MB back")
                del self._kept[template.kind]
                template.close("It gave its memory back.")

    def headers(self) -> list[Header]:
        """What `hello` tells about those that can fork."""
        return [template.header() for template in self._kept.values() if template.warm.done()]

    def _say(self, text: str) -> None:
        if self._log is not None:
            self._log.say(text)

    def _print(self, data: bytes) -> None:
        if self._log is not None:
            self._log.append(data)
