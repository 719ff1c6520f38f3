"""Template: a process that has imported an environment's libraries, and nothing of any application, and forks on order;
`python -m ovd.template`, started by the runner.

It never computes, so that a fork of it is whole, and it holds no secret. On each order it forks twice: the first child
makes the namespaces, the second is first in them and becomes the application's process, behind its walls. The
runner, which ends whatever is orphaned, becomes its parent. docs/explanation/runner.md draws it.
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
from typing import Any, Dict, List, Mapping, NoReturn, Optional

from ovd import process, threads
from ovd.walls import calls, enclose, namespaces, network, room

LONGEST_ORDER = 1 << 17  # bytes
MOST_DESCRIPTORS = 16

Order = Dict[str, Any]


def main(arguments: Optional[List[str]] = None) -> int:
    """Import, say what was imported, and obey orders until the runner hangs up."""
    options = _options(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the platform, which then stops us
    orders = socket.socket(fileno=options.orders)
    os.set_inheritable(options.orders, False)
    orders.send(json.dumps({"type": "warm", **_warm(options.preload)}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, LONGEST_ORDER, MOST_DESCRIPTORS)
        if not message:
            return 0
        order = json.loads(message)
        try:
            answer = {"type": "born", "pid": _fork(order, dict(zip(order["descriptors"], descriptors)), orders)}
        except Exception as error:
            answer = {"type": "failed", "message": str(error) or type(error).__name__}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        orders.send(json.dumps({"order": order["order"], **answer}).encode())


def _options(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ovd.template", description="Fork application processes.")
    parser.add_argument("--orders", required=True, type=int, help="an open sequential-packet socket to the runner")
    parser.add_argument("--preload", default=[], type=lambda text: [name for name in text.split(",") if name])
    return parser.parse_args(arguments)


def _warm(modules: List[str]) -> Dict[str, Any]:
    """Import; one that cannot be imported costs its application the import, and nobody else anything."""
    began = time.perf_counter()
    imported, missing = [], {}
    for name in modules:
        try:
            importlib.import_module(name)
            imported.append(name)
        except BaseException as error:  # whatever a library raises
            missing[name] = f"{type(error).__name__}: {error}"[:500]
    process.warm()
    enclose.warm()
    gc.collect()
    gc.freeze()  # pages that nobody writes to are shared by all children
    running = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    return {
        "imported": imported,
        "missing": missing,
        "threads": running,
        "seconds": round(time.perf_counter() - began, 4),
    }


def _fork(order: Order, descriptors: Mapping[str, int], orders: socket.socket) -> int:
    """The number of the new process; when this returns the runner is its parent. Raises OSError."""
    told, tell = os.pipe()
    waits, go = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            orders.close()
            os.close(told)
            os.close(go)
            _speak_through(descriptors)
            _divide(order, descriptors, tell, waits)
        except BaseException as error:
            _give_up(error, tell)
    os.close(tell)
    os.close(waits)
    try:
        said = _read_all(told)
        os.waitpid(first, 0)
        if not said.isdigit():
            raise OSError(said.decode(errors="replace") or "The process ended before it could begin.")
        os.write(go, b"!")
        return int(said)
    finally:
        os.close(told)
        os.close(go)


def _divide(order: Order, descriptors: Mapping[str, int], tell: int, waits: int) -> NoReturn:
    """In the first child: make the namespaces, and the process that is first in them."""
    flags = 0
    for wall in order["walls"]:
        flags |= namespaces.FLAGS.get(wall, 0)
    if flags:
        calls.unshare(flags)
    second = os.fork()
    if second:
        os.write(tell, str(second).encode())
        os._exit(0)
    os.close(tell)
    if not os.read(waits, 1):
        os._exit(1)  # the template is gone, or has given us up
    os.close(waits)
    _become(order, descriptors)


def _become(order: Order, descriptors: Mapping[str, int]) -> NoReturn:
    """In the second child, whose parent is the runner: put up the walls, then be the application's process."""
    code = 1
    try:
        os.setsid()
        os.umask(0o077)
        walls = order["walls"]
        if "files" in walls:
            room.furnish(
                app=descriptors["app"],
                model=descriptors.get("model"),
                scratch=descriptors.get("scratch"),
                disk_mb=order["enclosure"]["disk_mb"],
                uid=order["enclosure"]["uid"] or 0,
            )
        if "network" in walls:
            _reach(order, descriptors.get("network"))
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
    arguments = list(order["arguments"])
    if order["module"] == "ovd.process":
        arguments += ["--listen-fd", str(descriptors["listen"]), "--control-fd", str(descriptors["control"])]
    main = importlib.import_module(order["module"]).main
    code: Optional[int] = main(arguments)
    return code or 0


def _reach(order: Order, line: Optional[int]) -> None:
    """The loopback of the network namespace, and on it the door to what the runner lets through, if it does."""
    network.loopback_up()
    if line is None:
        return
    with socket.socket(fileno=os.dup(line)) as ours, socket.create_server(("127.0.0.1", order["proxy_port"])) as door:
        socket.send_fds(ours, [b"!"], [door.fileno()])


def _speak_through(descriptors: Mapping[str, int]) -> None:
    for name, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(descriptors[name], number)
        os.close(descriptors[name])


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
