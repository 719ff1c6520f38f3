"""Launching: a process of an application, born as the runner does it, with the walls only; a program of its own, so
that it can run as any user. Standard library.

    python launching.py '{"code": "print(1)", …}'

What the code prints is printed; the exit code is its own, or 128 + the signal that ended it.
"""

import json
import os
import socket
import sys
import tempfile
import traceback
from typing import Any, Callable, Dict, Optional

from ovd.walls import calls, enclose, namespaces, network, room

BASE = 200000
TEMPLATE = "import launching; launching.template()"


def main() -> int:
    order: Dict[str, Any] = json.loads(sys.argv[1])
    base = None if os.geteuid() else BASE
    namespaces.enter_own()
    calls.prctl("CHILD_SUBREAPER", 36, 1)
    place = tempfile.mkdtemp(prefix="ovd-walls-")
    os.mkdir(f"{place}/room")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    launcher = _child(lambda: _launch(order, f"{place}/room", base, theirs))
    theirs.close()
    if ours.recv(10) == b"map":
        namespaces.map_ids(launcher, base)
        ours.send(b"mapped")
    mounts = _mounts(order)
    socket.send_fds(ours, [json.dumps(order).encode()], list(mounts.values()))
    told = ours.recv(20)
    if not told:
        return 70
    ours.recv(10)
    code = os.waitstatus_to_exitcode(os.waitpid(int(told), 0)[1])
    ours.close()
    os.waitpid(launcher, 0)
    os.rmdir(f"{place}/room")
    os.rmdir(place)
    return 128 - code if code < 0 else code


def _mounts(order: Dict[str, Any]) -> Dict[str, int]:
    mounts = {name: calls.open_tree(order[name]) for name in ("app", "model", "scratch") if order.get(name)}
    order["mounts"] = list(mounts)
    return mounts


def _launch(order: Dict[str, Any], place: str, base: Optional[int], line: socket.socket) -> None:
    calls.unshare(calls.NEWNS)
    room.build(place, read_only=order["read_only"], own_proc=base is not None)
    calls.unshare(calls.NEWUSER)
    line.send(b"map")
    line.recv(10)
    namespaces.become_root(has_range=base is not None)
    enclose.guard(order["walls"])
    os.dup2(line.fileno(), 3)
    variables = {"PYTHONPATH": ":".join(order["paths"]), "HOME": "/scratch", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    os.execve(order["python"], [order["python"], "-c", TEMPLATE], {**variables, **order.get("variables", {})})


def template() -> None:
    """The template's part: one order, one child."""
    line = socket.socket(fileno=3)
    text, descriptors, _, _ = socket.recv_fds(line, 1 << 16, 8)
    order = json.loads(text)
    mounts = dict(zip(order["mounts"], descriptors))
    enclose.warm()
    exec(order.get("before", ""), {})
    go, told = os.pipe()

    def first() -> None:
        calls.unshare(namespaces.flags_of(order["walls"]))
        second = _child(lambda: _be(order, mounts, go))
        line.send(str(second).encode())

    middle = _child(first)
    os.waitpid(middle, 0)
    line.send(b"orphaned")
    os.write(told, b"!")
    line.recv(10)


def _be(order: Dict[str, Any], mounts: Dict[str, int], go: int) -> None:
    os.close(3)
    os.read(go, 1)
    uid = order["enclosure"].get("uid")
    room.furnish(
        app=mounts["app"],
        model=mounts.get("model"),
        scratch=mounts.get("scratch"),
        disk_mb=order["enclosure"].get("disk_mb", 64),
        uid=uid or 0,
    )
    network.loopback_up()
    os.chdir("/scratch")
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
