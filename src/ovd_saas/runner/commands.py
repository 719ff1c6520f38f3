"""Commands: one program run to its end, line by line, under the same limits as an application."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ovd_saas.runner.children import Child, Nursery, Output
from ovd_saas.runner.endings import Exit, how, of_breach
from ovd_saas.runner.sandbox import Limits
from ovd_saas.runner.starts import Order

LONGEST_LINE = 17 << 20  # bytes; a schema is one line

OnLine = Callable[[str, str], None]  # stream (`stdout` or `stderr`) and the line


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    ok: bool  # exit code 0
    message: str  # what went wrong, for a person; empty when nothing did


class _Lines:
    def __init__(self, stream: str, on_line: OnLine) -> None:
        self._stream = stream
        self._on_line = on_line
        self._rest = bytearray()

    def take(self, data: bytes) -> None:
        self._rest += data
        if b"\n" in data:
            *lines, rest = bytes(self._rest).split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._tell(line)
        if len(self._rest) > LONGEST_LINE:
            self.finish()

    def finish(self) -> None:
        if self._rest:
            self._tell(bytes(self._rest))
        self._rest.clear()

    def _tell(self, line: bytes) -> None:
        self._on_line(self._stream, line.decode("utf-8", errors="replace").rstrip("\r"))


async def run(nursery: Nursery, order: Order, *, patience: float, on_line: OnLine) -> Outcome:
    """Run a command of ours; after `patience` seconds, or when we are cancelled, it is killed with all its children."""

    async def bear(output: Output) -> Child:
        return nursery.bear(order, output)

    try:
        return await follow(bear, patience=patience, on_line=on_line)
    except OSError as error:
        return Outcome(False, f"{order.arguments[0]} cannot be executed: {error.strerror}")


async def follow(bear: Callable[[Output], Awaitable[Child]], *, patience: float, on_line: OnLine) -> Outcome:
    """Have a process born and follow it to its end; killed likewise. Raises what `bear` raises."""
    streams = {stream: _Lines(stream, on_line) for stream in ("stdout", "stderr")}
    child = await bear(lambda stream, data: streams[stream].take(data))
    try:
        await asyncio.wait([child.exited], timeout=patience)
    finally:
        if not child.exited.done():
            child.kill("timeout")
    exit = await child.exited
    for lines in streams.values():
        lines.finish()
    return _outcome(exit, child.limits, patience)


def _outcome(exit: Exit, limits: Limits, patience: float) -> Outcome:
    if exit.code == 0:
        return Outcome(True, "")
    if exit.killed_for == "timeout":
        return Outcome(False, f"not finished after {patience:g} s, and killed")
    breach = of_breach(exit, memory_mb=limits.memory_mb, tasks=limits.tasks, disk_mb=limits.disk_mb)
    return Outcome(False, breach.message if breach else how(exit))
