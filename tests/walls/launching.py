"""Launching: a process of an application, born as the runner does it, with the walls only; a program of its own, so
that it can run as any user. Standard library.

    python launching.py '{"code": "print(1)", …}'

What the code prints is printed; the exit code is its own, or 128 + the signal that ended it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ovd.walls import calls, enclose, namespaces, network, room

BASE = 200000
ORDERS, NEIGHBOUR = 30, 31  # descriptors of a template; a neighbour writes to its own when it is ready
TEMPLATE = "import launching; launching.template()"


def main() -> int:
    order: dict[str, Any] = json.loads(sys.argv[1])
    base = None if os.geteuid() else BASE
    if "user" in order["walls"]:
        namespaces.enter_own()
    if order.get("masked"):  # as a container does
        calls.mount("masked", "/proc/sys", "tmpfs", calls.RDONLY)
    calls.prctl("CHILD_SUBREAPER", 36, 1)
    place = tempfile.mkdtemp(prefix="ovd-walls-")
    Path(f"{place}/room").mkdir()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ready, tell = os.pipe()
    launcher = _child(lambda: _launch(order, f"{place}/room", base, theirs, tell))
    theirs.close()
    if "user" in order["walls"] and ours.recv(10) == b"map":
        namespaces.map_ids(launcher, base)
        ours.send(b"mapped")
    mounts = _mounts(order)
    socket.send_fds(ours, [json.dumps(order).encode()], list(mounts.values()))
    if "neighbour" in order:
        ours.recv(20)
        ours.recv(10)
        os.read(ready, 1)
        ours.send(b"go on")
    told = ours.recv(20)
    if not told:
        return 70
    ours.recv(10)
    code = os.waitstatus_to_exitcode(os.waitpid(int(told), 0)[1])
    ours.close()
    os.waitpid(launcher, 0)
    Path(f"{place}/room").rmdir()
    Path(place).rmdir()
    return 128 - code if code < 0 else code


def _mounts(order: dict[str, Any]) -> dict[str, int]:
    if "files" not in order["walls"]:
        order["mounts"] = []
        return {}
    mounts = {name: calls.open_tree(order[name]) for name in ("app", "model", "scratch") if order.get(name)}
    order["mounts"] = list(mounts)
    return mounts


def _launch(order: dict[str, Any], place: str, base: int | None, line: socket.socket, tell: int) -> None:
    if "files" in order["walls"]:
        calls.unshare(calls.NEWNS)
        room.build(place, read_only=order["read_only"], own_proc=base is not None)
    if "user" in order["walls"]:
        calls.unshare(calls.NEWUSER)
        line.send(b"map")
        line.recv(10)
        namespaces.become_root(has_range=base is not None)
    enclose.guard(order["walls"])
    here, there = os.dup(line.fileno()), os.dup(tell)
    os.dup2(there, NEIGHBOUR)
    os.dup2(here, ORDERS)
    variables = {
        "PYTHONPATH": ":".join(order["paths"]),
        "HOME": "/scratch",
        "TMPDIR": "/scratch",
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
    }
    os.execve(order["python"], [order["python"], "-c", TEMPLATE], {**variables, **order.get("variables", {})})


def template() -> None:
    """The template's part: one order, one child."""
    line = socket.socket(fileno=ORDERS)
    text, descriptors, _, _ = socket.recv_fds(line, 1 << 16, 8)
    order = json.loads(text)
    mounts = dict(zip(order["mounts"], descriptors))  # noqa: B905 - Python 3.9
    enclose.warm()
    exec(order.get("before", ""), {})
    if "neighbour" in order:
        enclosure = {**order["enclosure"], "uid": (order["enclosure"]["uid"] or -1) + 1 or None}
        _bear({**order, "code": order["neighbour"], "enclosure": enclosure}, {}, line)
        line.recv(10)
    _bear(order, mounts, line)
    line.recv(10)


def _bear(order: dict[str, Any], mounts: dict[str, int], line: socket.socket) -> None:
    """A grandchild whose parent is the launcher; its number, and that it is the launcher's, are told there."""
    go, told = os.pipe()

    def first() -> None:
        calls.unshare(namespaces.flags_of(order["walls"]))
        second = _child(lambda: _be(order, mounts, go, told))
        line.send(str(second).encode())

    os.waitpid(_child(first), 0)
    line.send(b"orphaned")
    os.write(told, b"!")


def _be(order: dict[str, Any], mounts: dict[str, int], go: int, told: int) -> None:
    os.close(ORDERS)
    os.close(told)
    if not os.read(go, 1):
        os._exit(1)
    uid = order["enclosure"].get("uid")
    if "files" in order["walls"]:
        room.furnish(
            app=mounts["app"] if mounts else calls.open_tree("/run"),
            model=mounts.get("model"),
            scratch=mounts.get("scratch"),
            disk_mb=order["enclosure"].get("disk_mb", 64),
            uid=uid or 0,
        )
        os.chdir("/scratch")
    if "network" in order["walls"]:
        network.loopback_up()
    enclose.enclose(enclose.Enclosure(**order["enclosure"], standing=order["walls"]))
    sys.path.insert(0, "/app")
    exec(compile(order["code"], "<inside>", "exec"), {"__name__": "__main__"})


def _child(what: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        what()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
