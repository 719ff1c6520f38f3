"""Endings: why a process ended, in a word for programs and a sentence for people. Pure."""

import signal
from dataclasses import dataclass

MB = 1 << 20


@dataclass(frozen=True)
class Exit:
    """How one operating-system process ended."""

    code: int | None  # exit code, unless a signal ended it
    signal: int | None
    peak_bytes: int  # the most memory it held at once, without its children
    killed_for: str | None  # why it was killed, when we know: `memory`, `tasks`, `disk`, `timeout`, …
    last_error_line: str  # of what it printed to stderr; empty when nothing


@dataclass(frozen=True)
class Ending:
    """What we tell about it."""

    reason: str  # stopped | exit | signal | memory | tasks | disk | lease | setup | slow_start
    message: str


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def how(exit: Exit) -> str:
    """The bare fact: `exit code 3: <last error line>` or `SIGSEGV`, with the last error line."""
    fact = f"exit code {exit.code}" if exit.signal is None else f"signal {signal_name(exit.signal)}"
    return f"{fact}: {exit.last_error_line}" if exit.last_error_line else fact


def of_breach(exit: Exit, *, memory_mb: int, tasks: int, disk_mb: int) -> Ending | None:
    """The ending, when it was a limit."""
    if exit.killed_for == "memory":
        return Ending("memory", f"killed: reached the memory limit of {memory_mb} MB")
    if exit.killed_for == "tasks":
        return Ending("tasks", f"killed: more than {tasks} processes and threads at once")
    if exit.killed_for == "disk":
        return Ending("disk", f"killed: filled its disk limit of {disk_mb} MB")
    if exit.signal == signal.SIGKILL and exit.killed_for is None and exit.peak_bytes > memory_mb * MB:
        return Ending("memory", f"killed by the system: it held more than its memory limit of {memory_mb} MB")
    return None


def of_process(
    exit: Exit,
    *,
    memory_mb: int,
    tasks: int,
    disk_mb: int,
    lease_seconds: float,
    failure: str | None,
    asked: bool,
    ready: bool,
    renewed: bool,
) -> Ending:
    """The ending of an application process. `failure` is what it said itself before it ended, `asked` that somebody
    wanted it to end, `ready` that it had finished its set-up, `renewed` that its lease was renewed all the time."""
    breach = of_breach(exit, memory_mb=memory_mb, tasks=tasks, disk_mb=disk_mb)
    if breach is not None:
        return breach
    if exit.killed_for == "slow_start":
        return Ending("slow_start", "killed: it was not ready in time; its import or setup takes too long")
    if exit.killed_for == "grace":
        return Ending("stopped", "stopped: it did not finish within its grace and was killed")
    if asked and (exit.code == 0 or exit.killed_for is not None):
        return Ending("stopped", "stopped as asked")
    if failure is not None:
        return Ending("setup", failure)
    if exit.killed_for == "control":
        return Ending("control", "killed: it closed the line to the runner, or said on it what nobody had asked for")
    if exit.signal == signal.SIGALRM or exit.code == signal.SIGALRM:  # the latter where it was first of its namespace
        if renewed:
            held = (
                f"its code held the interpreter for longer than its lease of {lease_seconds:g} s, so that nothing else"
            )
            return Ending("lease", f"ended: {held} of it ran")
        return Ending("lease", f"ended itself: the runner had not renewed its lease for {lease_seconds:g} s")
    if exit.signal == signal.SIGKILL:
        return Ending(
            "signal", "killed from outside (SIGKILL): by an operator, or because the machine ran out of memory"
        )
    if exit.signal is not None:
        return Ending("signal", f"ended by {how(exit)}")
    if exit.code == 0 and not exit.last_error_line:
        return Ending("exit", "exit code 0, though nobody had asked it to end")
    return Ending("exit", how(exit) if ready else f"{how(exit)} (before it was ready)")
