"""What each wall costs a process on its way: medians in milliseconds, as the user who runs this.

    .venv/bin/python bench/walls.py [--births 50] [--template-mb 200]

A template of so many megabytes, without any application, has processes born as the runner's templates have them; each
times its own steps and ends. The table can be put into docs/explanation/walls.md.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import tempfile
import time
from pathlib import Path

from ovd.walls import calls, enclose, limits, namespaces, room, seccomp

BASE, UID = 200000, 7
STEPS = {
    "fork": "first fork",
    "unshare": "new namespaces: mount, pid, net, ipc, uts",
    "again": "second fork",
    "files": "own files: release, model, scratch, /dev/shm, /proc",
    "user": "own user, capabilities locked",
    "limits": "rlimits",
    "privileges": "no capabilities, no new privileges",
    "landlock": "Landlock",
    "seccomp": "seccomp",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--births", type=int, default=50)
    parser.add_argument("--template-mb", type=int, default=200)
    chosen = parser.parse_args()
    base = None if os.geteuid() else BASE
    namespaces.enter_own()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        template = os.fork()
        if template == 0:
            _template(name, base, theirs, chosen.template_mb)
        ours.recv(9)
        namespaces.map_ids(template, base)
        ours.send(b"mapped")
        times = [_born(ours, name) for _ in range(chosen.births)]
        ours.send(b"done")
        os.waitpid(template, 0)
    who = "an ordinary user" if base is None else "root"
    print(f"| step, as {who}, template of {chosen.template_mb} MB | ms |\n|---|---|")
    for step, title in STEPS.items():
        print(f"| {title} | {statistics.median(each[step] for each in times):.2f} |")
    print(f"| **together** | **{statistics.median(sum(each.values()) for each in times):.2f}** |")


def _born(ours: socket.socket, folder: str) -> dict[str, float]:
    mounts = [calls.open_tree(folder), calls.open_tree(folder)]
    socket.send_fds(ours, [b"bear"], mounts)
    for mount in mounts:
        os.close(mount)
    times: dict[str, float] = json.loads(ours.recv(4096))
    return times


def _template(folder: str, base: int | None, line: socket.socket, megabytes: int) -> None:
    calls.unshare(calls.NEWNS)
    room.build(folder, read_only=[], own_proc=base is not None)
    calls.unshare(calls.NEWUSER)
    line.send(b"map")
    line.recv(9)
    namespaces.become_root(has_range=base is not None)
    enclose.guard(enclose.NAMES)
    filling = [bytearray(os.urandom(1024)) * 1024 for _ in range(megabytes)]
    application = seccomp.of_application(seccomp.here(), local=True, network=False, devices=False)
    while filling:
        said, mounts, _, _ = socket.recv_fds(line, 9, 2)
        if said == b"done":
            os._exit(0)
        began = time.perf_counter()
        first = os.fork()
        if first == 0:
            _first(began, mounts, UID if base is not None else None, line, application)
        os.waitpid(first, 0)
        for mount in mounts:
            os.close(mount)


def _first(began: float, mounts: list[int], uid: int | None, line: socket.socket, chosen: seccomp.Filter) -> None:
    moments = [("", began), ("fork", time.perf_counter())]
    calls.unshare(namespaces.flags_of(enclose.NAMES))
    moments.append(("unshare", time.perf_counter()))
    second = os.fork()
    if second:
        os.waitpid(second, 0)
        os._exit(0)

    def took(step: str) -> None:
        moments.append((step, time.perf_counter()))

    took("again")
    room.furnish(app=mounts[0], model=mounts[1], scratch=None, disk_mb=256, uid=uid or 0)
    took("files")
    enclose._become(uid)
    took("user")
    limits.bind(memory_mb=512, disk_mb=256, tasks=512)
    took("limits")
    calls.drop_capabilities()
    calls.no_new_privileges()
    took("privileges")
    enclose._list_files(enclose.Enclosure(), has_room=True, network=False)
    took("landlock")
    seccomp.install(chosen)
    took("seccomp")
    times = {step: 1000 * (after - before) for (_, before), (step, after) in itertools.pairwise(moments)}
    line.send(json.dumps(times).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
