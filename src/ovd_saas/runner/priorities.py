"""Priorities: who works in the background gives way, where no control group weighs processor time."""

import os
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
LAST = 19  # the lowest niceness


def give_way(pid: int) -> bool:
    """Everybody else goes first from now on. False when it does not lead its session yet, or has ended: ask again.

    The kernel's automatic groups share processor time among sessions, whatever the niceness of those in them: then
    the session needs one too. Elsewhere the idle policy is enough.
    """
    with suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, pid, LAST)
        if os.getsid(pid) != pid:
            return False
        automatic = PROC / str(pid) / "autogroup"
        if automatic.exists():
            automatic.write_text(str(LAST))
        return True
    return False
