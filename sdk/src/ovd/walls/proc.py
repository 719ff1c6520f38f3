"""Proc: which /proc there is in a room. Programs look there for processors, memory and themselves."""

import os
from typing import Optional

from ovd.walls import calls

_FLAGS = calls.NOSUID | calls.NODEV | calls.NOEXEC
BESIDE = "run/proc"  # an empty folder of the room, where a smaller /proc is put together
FACTS = ("cpuinfo", "meminfo", "stat", "loadavg", "uptime", "version", "filesystems", "vmstat")

_former: Optional[int] = None  # our own folder in the /proc that a smaller one hides


def show(target: str, *, is_own: bool) -> None:
    """For a template. `is_own`: a mount of its own that hides the processes of other uids, as root can make it; else,
    or where that is refused, the machine's, without which no process below could mount one."""
    if is_own:
        try:
            calls.mount("proc", target, "proc", _FLAGS, "hidepid=invisible")
            return
        except OSError:
            pass  # a container whose own /proc is partly hidden
    tree = calls.open_tree("/proc")
    try:
        calls.restrict(tree, _FLAGS)
        calls.move_mount(tree, target)
    finally:
        os.close(tree)


def renew() -> None:
    """For a process that is pid 1 of its namespace: the /proc of that. Where the kernel refuses it (in containers whose
    own /proc is partly hidden), a smaller one: facts about the machine, and no processes at all."""
    for options in (None, "subset=pid"):
        try:
            calls.mount("proc", "/proc", "proc", _FLAGS, options)
        except OSError:
            continue
        return
    _facts_only()


def own_folder() -> Optional[int]:
    """A descriptor of /proc/self, in a /proc that may be out of sight by now; None where there is none."""
    try:
        return os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return _former


def is_smaller() -> bool:
    """Whether `renew` could do with facts only."""
    return not os.path.exists("/proc/self")


def _facts_only() -> None:
    global _former
    _former = own_folder()
    beside = f"/{BESIDE}"
    calls.mount("proc", beside, "tmpfs", _FLAGS, "size=64k,nr_inodes=32,mode=755")
    for name in FACTS:
        if os.path.exists(f"/proc/{name}"):
            open(f"{beside}/{name}", "w").close()
            tree = calls.open_tree(f"/proc/{name}")
            calls.move_mount(tree, f"{beside}/{name}")
            os.close(tree)
    calls.mount(None, beside, None, calls.REMOUNT | calls.BIND | calls.RDONLY | _FLAGS)
    calls.mount(beside, "/proc", None, calls.MOVE)
