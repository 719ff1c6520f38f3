"""Children: operating-system processes of ours, from birth to the last byte they printed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from ovd_saas.runner import footprints, sandbox, strays
from ovd_saas.runner.endings import Exit
from ovd_saas.runner.starts import Born, Order, Start

READ = 1 << 16
BURST = 1 << 20  # bytes that one pipe may bring per PAUSE; beyond it waits, and so does who floods it
PAUSE = 0.25  # seconds
REMEMBERED = 4096  # bytes of stderr, for the last line
LONGEST_LINE = 500  # characters in a message

Output = Callable[[str, bytes], None]  # stream (`stdout` or `stderr`) and what came


class Child:
    """One living process. `exited` completes when it and its whole group are gone and its output is read."""

    def __init__(self, born: Born, order: Order, output: Output, on_end: Callable[["Child"], None]) -> None:
        self.pid = born.pid
        self.limits = order.limits
        self.killed_for: str | None = None
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._born = born
        self.mark = Path(order.variables[sandbox.MARK]) if sandbox.MARK in order.variables else None
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
            os.killpg(self.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self._loop.remove_reader(self._born.pidfd)
        os.close(self._born.pidfd)
        with contextlib.suppress(ProcessLookupError):  # not reaped yet, so the number still is this group's
            os.killpg(self.pid, signal.SIGKILL)
        if self.mark is not None:
            kill_marked(self.mark)
        status, peak = self._born.reap()
        for pipe in self._pipes:
            pipe.drain()
        code = os.waitstatus_to_exitcode(status)
        self._on_end(self)
        if not self.exited.done():
            self.exited.set_result(
                Exit(
                    code=code if code >= 0 else None,
                    signal=-code if code < 0 else None,
                    peak_bytes=peak,
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
        return lines[-1].strip()[:LONGEST_LINE] if lines else ""


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


class Nursery:
    """All living children, with their memory and number of tasks watched."""

    TICK = 0.25  # seconds between two looks at each child
    FULL = 8  # every so many looks, their children are counted too

    def __init__(self, start: Start) -> None:
        self._start = start
        self._children: set[Child] = set()
        self._watching: asyncio.Task[None] | None = None

    def bear(self, order: Order, output: Output) -> Child:
        """Start a process. Raises OSError when it cannot be executed."""
        child = Child(self._start.start(order), order, output, self._bury)
        self._children.add(child)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        return child

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
        marks = [child.mark for child in self._children if child.mark is not None]
        strays.end({child.pid for child in self._children}, marks)

    def _bury(self, child: Child) -> None:
        self._children.discard(child)
        self.end_strays()

    async def _watch(self) -> None:
        look = 0
        while self._children:
            await asyncio.sleep(self.TICK)
            look += 1
            sessions = footprints.by_session() if look % self.FULL == 0 else None
            if sessions is not None:
                self.end_strays()
            for child in list(self._children):
                footprint = sessions.get(child.pid) if sessions is not None else footprints.one(child.pid)
                if footprint is not None:
                    judge(child, footprint)


def judge(child: Child, footprint: footprints.Footprint) -> None:
    """Kill the child when it and its own hold more than they may."""
    limit = child.limits.memory_mb * sandbox.MB
    if footprint.rss_bytes > limit and footprints.shared_fairly(footprint.pids) > limit:
        child.kill("memory")
    elif footprint.tasks > child.limits.tasks:
        child.kill("tasks")
