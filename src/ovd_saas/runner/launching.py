"""Launching: the trusted first steps of a template process, between the fork of the runner and the execution of the
environment's Python, which is a stranger's already: it begins with no sight of the machine and no rights on it."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ovd.walls import calls, enclose, limits, namespaces, room

OPEN_FILES = 4096


@dataclass(frozen=True)
class Launch:
    """What is executed, and what it may see."""

    arguments: list[str]  # program first
    variables: dict[str, str]
    inherited: int  # the one descriptor that it keeps
    stdout: int
    stderr: int
    walls: tuple[str, ...]  # that stand on this machine
    base: Path  # an empty folder, for the mounts of the room
    read_only: tuple[str, ...]  # folders that are seen, under their own names
    devices: tuple[str, ...]  # device files that are seen, beside /dev/null and its like
    first_uid: int | None  # of a range of `namespaces.IDS` users; None: the runner's own


def launch(what: Launch) -> int:
    """The number of the new process, which leads a session. Call it from the main thread: the kernel ends the child
    with the thread that forked it. What goes wrong before the execution is the last line of its stderr, and exit
    code 127."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _begin(what, parent)
    return child


def _begin(what: Launch, parent: int) -> NoReturn:
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(what.stdout, 1)
        os.dup2(what.stderr, 2)
        os.set_inheritable(what.inherited, True)
        os.umask(0o022)
        is_root = what.first_uid is not None
        if "files" in what.walls:
            calls.unshare(calls.NEWNS)
            room.build(str(what.base), read_only=what.read_only, own_proc=is_root, devices=what.devices)
        if "user" in what.walls:
            _become_a_user_of_its_own(what.first_uid)
        enclose.guard(what.walls)
        os.chdir("/")
        resource.setrlimit(resource.RLIMIT_CORE, (limits.NO_CORE, limits.NO_CORE))
        files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        limits.go_first()
        calls.die_with_parent()
        if os.getppid() != parent:
            os._exit(127)  # nobody would end us when the runner ends
        os.execve(what.arguments[0], what.arguments, what.variables)  # noqa: S606 - of course without a shell
    except BaseException as error:
        try:
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
        finally:
            os._exit(127)


def _become_a_user_of_its_own(first_uid: int | None) -> None:
    """Enter a user namespace, in which we may do what we like to what is ours, and elsewhere nothing. A helper that
    stays outside says which users it has: only somebody outside may."""
    told, tell = os.pipe()
    us = os.getpid()
    helper = os.fork()
    if helper == 0:
        try:
            os.read(told, 1)
            namespaces.map_ids(us, first_uid)
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
        finally:
            os._exit(1)
    calls.unshare(calls.NEWUSER)
    os.write(tell, b"!")
    os.close(told)
    os.close(tell)
    if os.waitpid(helper, 0)[1] != 0:
        raise OSError("The users of the namespace could not be named.")
    namespaces.become_root(has_range=first_uid is not None)
