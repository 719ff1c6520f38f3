"""Children: operating-system processes of ours, from birth to the last byte they printed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ovd_saas.runner import footprints, sandbox, strays, told, watches
from ovd_saas.runner.cgroups import Group, Groups
from ovd_saas.runner.endings import Exit
from ovd_saas.runner.hierarchies import MEMORY
from ovd_saas.runner.quotas import Quota
from ovd_saas.runner.starts import Born, Order, Spawn

READ = 1 << 16
BURST = 1 << 20  # bytes that one pipe may bring per PAUSE; beyond it waits, and so does who floods it
PAUSE = 0.25  # seconds
REMEMBERED = 4096  # bytes of stderr, for the last line
LONGEST_LINE = 500  # characters in a message

Output = Callable[[str, bytes], None]  # stream (`stdout` or `stderr`) and what came


class Child:
    """One living process. `exited` completes when it and its whole group are gone and its output is read."""

    def __init__(
        self,
        born: Born,
        limits: sandbox.Limits,
        output: Output,
        on_end: Callable[["Child"], None],
        mark: Path | None,
        group: Group | None,
        quota: Quota | None,
        background: bool,
    ) -> None:
        self.pid = born.pid
        self.limits = limits
        self.group = group
        self.quota = quota
        self.must_give_way = background
        self.inherited_bytes = footprints.anonymous(born.pid)
        self.is_template = False
        self.killed_for: str | None = None
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._born = born
        self.mark = mark  # that its children carry; None: the kernel ends them with it
        self._errors = b""
        self._output = output
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._pipes = [_Pipe(born.stdout, self._out), _Pipe(born.stderr, self._err)]
        self._loop.add_reader(born.pidfd, self._ended)

    def kill(self, reason: str) -> None:
        """End it and all processes of its group, now. The first reason is the one that is told."""
        if self.exited.done():
            return
        if self.killed_for is None:
            self.killed_for = reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # it may not lead its group yet
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def pids(self) -> Collection[int]:
        """The process and its children, and theirs. May be called from any thread."""
        return {self.pid} | footprints.descendants(self.pid)

    def usage(self) -> tuple[int, float]:
        """Bytes that it holds with its children, and seconds of processor time that they used."""
        return usages([self])[self.pid]

    def is_held(self) -> bool:
        """Whether a control group knows what it uses, and all that belongs to it."""
        return self.group is not None and self.group.bounds(MEMORY)

    def _ended(self) -> None:
        self._loop.remove_reader(self._born.pidfd)
        os.close(self._born.pidfd)
        with contextlib.suppress(ProcessLookupError):  # not reaped yet, so the number still is this group's
            os.killpg(self.pid, signal.SIGKILL)
        if self.group is not None:
            self.group.settle()
        if self.mark is not None and not self.is_held():
            kill_marked(self.mark)
        status, peak = self._born.reap()
        for pipe in self._pipes:
            pipe.drain()
        code = os.waitstatus_to_exitcode(status)
        if self.group is not None and self.killed_for is None and code != 0:
            self.killed_for = self.group.breach()
        self._on_end(self)
        if not self.exited.done():
            self.exited.set_result(
                Exit(
                    code=code if code >= 0 else None,
                    signal=-code if code < 0 else None,
                    peak_bytes=0 if self.is_held() else max(0, peak - self.inherited_bytes),
                    killed_for=self.killed_for,
                    last_error_line=self._last_error_line(),
                )
            )

    def _out(self, data: bytes) -> None:
        self._output("stdout", data)

    def _err(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-REMEMBERED:]
        self._output("stderr", data)

    def _last_error_line(self) -> str:
        lines = self._errors.decode("utf-8", errors="replace").strip().splitlines()
        return told.line(lines[-1].strip(), LONGEST_LINE) if lines else ""


class _Pipe:
    """The reading end of a child's output. A flood is read slowly, so that it slows its source and not the runner."""

    def __init__(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._descriptor: int | None = descriptor
        self._take = take
        self._burst = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        if self._descriptor is None:
            return
        try:
            data = os.read(self._descriptor, READ)
        except BlockingIOError:
            return
        if not data:
            self._close()
            return
        if self._burst == 0:
            self._loop.call_later(PAUSE, self._resume)
        self._burst += len(data)
        if self._burst >= BURST:
            self._loop.remove_reader(self._descriptor)
        self._take(data)

    def _resume(self) -> None:
        self._burst = 0
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._read)

    def drain(self) -> None:
        """Read what is left, a pipe's worth at most, and close."""
        for _ in range(BURST // READ):
            if self._descriptor is None:
                return
            try:
                data = os.read(self._descriptor, READ)
            except BlockingIOError:
                break
            if not data:
                break
            self._take(data)
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


def kill_marked(folder: Path) -> list[int]:
    """Kill the processes that belong to this scratch folder, or to one in it, wherever they hid."""
    found = footprints.marked(sandbox.MARK, folder)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def usages(children: Collection[Child]) -> dict[int, tuple[int, float]]:
    """The usage of each of these by the number of its process: bytes held, and seconds of processor time."""
    held = {child.pid: child.group.usage() for child in children if child.group is not None and child.is_held()}
    free = {child.pid: child for child in children if child.pid not in held}
    trees = footprints.trees(free.keys()) if free else {}
    for pid, footprint in trees.items():
        held[pid] = max(0, footprint.rss_bytes - free[pid].inherited_bytes), footprint.seconds
    return held


class Nursery:
    """All living children, with their memory and number of tasks watched."""

    def __init__(self, start: Spawn, groups: Groups | None = None) -> None:
        self._start = start
        self._groups = groups
        if groups is not None:
            groups.warm()
        self._sight = watches.Watch()
        self._children: set[Child] = set()
        self._expected = 0  # orphans that are about to be handed to us, and are no strays
        self.announced: Callable[[], set[int]] = set  # processes that templates hold ready
        self._watching: asyncio.Task[None] | None = None

    def bear(self, order: Order, output: Output) -> Child:
        """Start a process. Raises OSError when it cannot be executed."""
        mark = Path(order.variables[sandbox.MARK]) if sandbox.MARK in order.variables else None
        return self.take(self._start.start(order), limits=order.limits, output=output, mark=mark)

    def take(
        self,
        born: Born,
        *,
        limits: sandbox.Limits,
        output: Output,
        mark: Path | None = None,
        name: str = "",
        background: bool = False,
        scratch_mb: int = 0,
        disk: Path | None = None,
    ) -> Child:
        """Look after a process that was just born. `scratch_mb` is what its scratch folder in memory may hold, `disk`
        the one on disk, if it has such a one; in the `background` it gives way to all others."""
        group = None if self._groups is None else self._groups.make(name, limits, background, scratch_mb=scratch_mb)
        if group is not None:
            group.join(born.pid)
        quota = None if disk is None else Quota(disk, limits.disk_mb)
        child = Child(born, limits, output, self._bury, mark, group, quota, background)
        self._children.add(child)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        return child

    def knows(self, pid: int) -> bool:
        """Whether this is a living child already."""
        return any(child.pid == pid for child in self._children)

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """Meanwhile an orphan may be a process that a template forked for us."""
        self._expected += 1
        try:
            yield
        finally:
            self._expected -= 1

    def kill_all(self, reason: str) -> None:
        for child in list(self._children):
            child.kill(reason)

    async def empty(self) -> None:
        """Returns when no child lives any more."""
        while self._children:
            await asyncio.wait([child.exited for child in self._children])
        self.end_strays()

    def end_strays(self) -> None:
        """End what our children left behind and nobody answers for."""
        if self._expected:
            return  # look again later
        marks = [child.mark for child in self._children if child.mark is not None]
        strays.end({child.pid for child in self._children} | self.announced(), marks)

    def _bury(self, child: Child) -> None:
        self._children.discard(child)
        if self._groups is not None and child.group is not None:
            self._groups.release(child.group, is_template=child.is_template)
        self.end_strays()

    async def _watch(self) -> None:
        ticks = 0
        while self._children:
            await asyncio.sleep(watches.TICK)
            ticks += 1
            self._sight.look(self._children)
            if ticks % watches.TREES == 0:
                self.end_strays()
            if self._groups is not None:
                self._groups.tidy()
            await self._look_at_disks()

    async def _look_at_disks(self) -> None:
        for child in list(self._children):
            quota = child.quota
            if quota is not None and quota.is_due() and await asyncio.to_thread(quota.is_breached, child.pids):
                child.kill("disk")
