"""Namespaces: which ones a process gets, and who it is in a user namespace."""

import os
from typing import Collection, Optional

from ovd.walls import calls, proc
from ovd.walls.failure import wall

IDS = 1024  # uids of one template's range: 0 is the template's, the others are for its processes

FLAGS = {  # wall → what to unshare for it
    "files": calls.NEWNS,
    "processes": calls.NEWPID,
    "network": calls.NEWNET,
    "ipc": calls.NEWIPC | calls.NEWUTS,
}


def flags_of(standing: Collection[str]) -> int:
    """What to unshare for these walls."""
    wanted = 0
    for name, flag in FLAGS.items():
        if name in standing:
            wanted |= flag
    return wanted


def enter_own() -> None:
    """An ordinary user's process becomes uid 0 of a user namespace of its own, with mounts of its own; root's stays as
    it is. Only a process with one thread can."""
    if os.geteuid() == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    with wall("user"):
        calls.unshare(calls.NEWUSER | calls.NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
        calls.mount(None, "/", None, calls.REC | calls.SLAVE)


def map_ids(pid: int, base: Optional[int]) -> None:
    """Written by the runner for a process that has just made a user namespace: `base` is the first uid of its range
    (root's runner), or None where there is only the user's own."""
    with wall("user"):
        if base is None:
            _write(f"/proc/{pid}/setgroups", "deny")
        for kind in ("uid_map", "gid_map"):
            _write(f"/proc/{pid}/{kind}", "0 0 1" if base is None else f"0 {base} {IDS}")


def become_root(*, has_range: bool) -> None:
    """In the new user namespace, after `map_ids`: uid 0 there, which is nobody of importance outside."""
    with wall("user"):
        if has_range:
            os.setgroups([])
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)


def own_user() -> None:
    """A process of an ordinary user's template gets a user namespace of its own in it: the kernel counts its tasks
    apart from others', and it is not uid 0. Without any /proc it stays as it is."""
    own = proc.own_folder()
    if own is None:
        return
    uid, gid = os.geteuid(), os.getegid()
    calls.unshare(calls.NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"1 {uid} 1"), ("gid_map", f"1 {gid} 1")):
        _write(name, text, own)
    os.close(own)


def _write(path: str, text: str, folder: Optional[int] = None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
