"""Template: a process that has imported an environment's libraries, and nothing of any application, and forks on order;
`python -m ovd.template`, started by the runner.

It never computes, so that a fork of it is whole, and it holds no secret. It forks twice: the first child makes the
namespaces, the second is first in them, and the runner, which takes in orphans, becomes its parent. There it waits for
an order, and becomes the application's process behind its walls. docs/explanation/runner.md draws it.
"""

import argparse
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, Collection, Dict, List, Mapping, NoReturn, Optional, Sequence

from ovd import pages, process, threads
from ovd.walls import calls, enclose, namespaces, network, room

LONGEST_ORDER = 1 << 17  # bytes
MOST_DESCRIPTORS = 16
PAUSE = 0.05  # s without an order, then a process is made ahead of the next one

Order = Dict[str, Any]


class Spare:
    """A process that waits for its order, in namespaces of its own: making them takes longer than all the rest."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.line = line


def main(arguments: Optional[List[str]] = None) -> int:
    """Import, say what was imported, and obey orders until the runner hangs up."""
    options = _options(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the platform, which then stops us
    orders = socket.socket(fileno=options.orders)
    os.set_inheritable(options.orders, False)
    orders.send(json.dumps({"type": "warm", **_warm(options.preload)}).encode())
    spare: Optional[Spare] = None
    is_compact = False
    while True:
        if spare is None and not select.select([orders], [], [], PAUSE)[0]:
            if not is_compact:
                pages.collapse()  # once, when nobody waits: all later forks are faster
                is_compact = True
            spare = _ahead(options.walls, orders)
        message, descriptors, _, _ = socket.recv_fds(orders, LONGEST_ORDER, MOST_DESCRIPTORS)
        if not message:
            return 0
        number = json.loads(message)["order"]
        try:
            spare = spare or _fork(options.walls, orders)
            socket.send_fds(spare.line, [message], descriptors)
            answer = {"type": "born", "pid": spare.pid}
        except Exception as error:
            answer = {"type": "failed", "message": str(error) or type(error).__name__}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            if spare is not None:
                spare.line.close()
                spare = None
        orders.send(json.dumps({"order": number, **answer}).encode())


def _options(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ovd.template", description="Fork application processes.")
    parser.add_argument("--orders", required=True, type=int, help="an open sequential-packet socket to the runner")
    parser.add_argument("--preload", default=[], type=lambda text: [name for name in text.split(",") if name])
    parser.add_argument("--walls", default=[], type=lambda text: [name for name in text.split(",") if name])
    return parser.parse_args(arguments)


def _warm(modules: List[str]) -> Dict[str, Any]:
    """Import; one that cannot be imported costs its application the import, and nobody else anything."""
    began = time.perf_counter()
    imported, missing = [], {}
    for name in modules:
        before = set(sys.modules)
        try:
            importlib.import_module(name)
            imported.append(name)
        except BaseException as error:  # whatever a library raises
            missing[name] = f"{type(error).__name__}: {error}"[:500]
            _forget_orphans(before)
    process.warm()
    enclose.warm()
    gc.collect()
    gc.freeze()  # pages that nobody writes to are shared by all children
    return {
        "imported": imported,
        "missing": missing,
        "seconds": round(time.perf_counter() - began, 4),
    }


def _forget_orphans(before: Collection[str]) -> None:
    """Parts of packages whose import failed half-way: an application that imports the package again, as it may, would
    be given them as they are, and fail where it need not."""
    for name in set(sys.modules).difference(before):
        parents = [name[:place] for place, letter in enumerate(name) if letter == "."]
        if not all(parent in sys.modules for parent in parents):
            sys.modules.pop(name, None)


def _ahead(walls: Sequence[str], orders: socket.socket) -> Optional[Spare]:
    """One that is there before it is needed; whoever needs it is told what is wrong, not we."""
    try:
        spare = _fork(walls, orders)
    except OSError:
        return None
    orders.send(json.dumps({"type": "spare", "pid": spare.pid}).encode())
    return spare


def _fork(walls: Sequence[str], orders: socket.socket) -> Spare:
    """A new process, whose parent is the runner when this returns. Raises OSError."""
    told, tell = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    first = os.fork()
    if first == 0:
        try:
            orders.close()
            ours.close()
            os.close(told)
            _divide(walls, theirs, tell)
        except BaseException as error:
            _give_up(error, tell)
    theirs.close()
    os.close(tell)
    try:
        said = _read_all(told)
    finally:
        os.close(told)
        os.waitpid(first, 0)
    if not said.isdigit():
        ours.close()
        raise OSError(said.decode(errors="replace") or "The process ended before it could begin.")
    return Spare(int(said), ours)


def _divide(walls: Sequence[str], line: socket.socket, tell: int) -> NoReturn:
    """In the first child: make the namespaces, and the process that is first in them."""
    flags = 0
    for wall in walls:
        flags |= namespaces.FLAGS.get(wall, 0)
    if flags:
        calls.unshare(flags)
    second = os.fork()
    if second:
        os.write(tell, str(second).encode())
        os._exit(0)
    os.close(tell)
    os.setsid()
    os.umask(0o077)
    if "network" in walls:
        network.loopback_up()
    if not select.select([line], [], [], 0)[0]:  # nobody waits for us yet
        process.rehearse()
    message, descriptors, _, _ = socket.recv_fds(line, LONGEST_ORDER, MOST_DESCRIPTORS)
    if not message:
        os._exit(0)  # the template is gone: nobody needs us
    line.close()
    order = json.loads(message)
    _become(order, walls, dict(zip(order["descriptors"], descriptors)))


def _become(order: Order, walls: Sequence[str], descriptors: Mapping[str, int]) -> NoReturn:
    """In the second child, whose parent is the runner: put up the walls, then be the application's process."""
    code = 1
    try:
        for name, number in (("stdout", 1), ("stderr", 2)):
            os.dup2(descriptors[name], number)
            os.close(descriptors[name])
        if "files" in walls:
            room.furnish(
                app=descriptors["app"],
                model=descriptors.get("model"),
                scratch=descriptors.get("scratch"),
                disk_mb=order["enclosure"]["disk_mb"],
                uid=order["enclosure"]["uid"] or 0,
            )
        if "network" in descriptors:
            _open_door(descriptors["network"], order["proxy_port"])
        for name in ("app", "model", "scratch", "network"):
            if name in descriptors:
                os.close(descriptors[name])
        os.environ.clear()
        os.environ.update(order["variables"])
        os.chdir(order["folder"])
        enclose.enclose(enclose.Enclosure(**order["enclosure"], standing=walls))
        threads.limit(order["threads"])
        code = _run(order, descriptors)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        process.flush()
        os._exit(code)


def _run(order: Order, descriptors: Mapping[str, int]) -> int:
    if order["check"]:
        from ovd import testing

        return testing.main([order["options"]["folder"], "--json"])
    options = process.Options(**order["options"], listen_fd=descriptors["listen"], control_fd=descriptors["control"])
    return process.serve(options)


def _open_door(line: int, port: int) -> None:
    """Where the process finds what the runner lets through to the network: the runner listens there."""
    with socket.socket(fileno=os.dup(line)) as ours, socket.create_server(("127.0.0.1", port)) as door:
        socket.send_fds(ours, [b"!"], [door.fileno()])


def _give_up(error: BaseException, tell: int) -> NoReturn:
    """The reason goes to the runner, by way of the template."""
    try:
        os.write(tell, f"{type(error).__name__}: {error}"[:4000].encode())
    finally:
        os._exit(1)


def _read_all(descriptor: int) -> bytes:
    said = b""
    while select.select([descriptor], [], [], 30.0)[0]:
        piece = os.read(descriptor, 4096)
        if not piece:
            break
        said += piece
    return said


if __name__ == "__main__":
    sys.exit(main())
