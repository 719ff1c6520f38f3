"""Bounds that hold by themselves, and what ends a process that is the first of its namespace."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from walls import inside


def bounds(mode: str, **values: Any) -> dict[str, Any]:
    return {"uid": inside.UID if mode == "root" else None, **values}


def test_a_fork_bomb_ends_at_the_number_of_tasks(mode: str, app: Path) -> None:
    code = """
import os, signal
children = []
try:
    while len(children) < 500:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except BlockingIOError:
    pass
print(len(children))
"""
    born = int(inside.said(mode, code, app=app, enclosure=bounds(mode, tasks=40)))
    assert 30 <= born < 40


def test_a_neighbour_that_has_used_up_its_tasks_leaves_ours_alone(mode: str, app: Path) -> None:
    """Of the same template, and where there is one user only, of the same user."""
    bomb = """
import os, signal
try:
    while os.fork():
        pass
    signal.pause()
except BlockingIOError:
    os.write(31, b"!")
    signal.pause()
"""
    code = "import os\nchildren = [os.fork() for _ in range(3)]\nos._exit(0) if 0 in children else print('done')"
    assert "done" in inside.said(mode, code, app=app, neighbour=bomb, enclosure=bounds(mode, tasks=20))


def test_limits_are_as_asked_and_cannot_be_raised(mode: str, app: Path) -> None:
    code = """
import resource as r
kinds = (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_DATA, r.RLIMIT_NPROC)
print([r.getrlimit(kind)[1] for kind in kinds], r.getrlimit(r.RLIMIT_NOFILE)[1] <= 4096)
for kind in kinds:
    try:
        r.setrlimit(kind, (1 << 40, 1 << 40))
        print("raised")
    except (ValueError, OSError):
        pass
"""
    told = inside.said(mode, code, app=app, enclosure=bounds(mode, memory_mb=100, disk_mb=3, tasks=9))
    assert told == f"{[1, 3 << 20, (100 + 1024) << 20, 9]} True"


def test_one_absurd_allocation_is_an_error_and_not_the_end(mode: str, app: Path) -> None:
    code = "try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    print('refused')"
    assert inside.said(mode, code, app=app, enclosure=bounds(mode, memory_mb=64)) == "refused"


def test_a_file_over_the_limit_is_an_error_and_not_the_end(mode: str, app: Path) -> None:
    code = "try:\n    open('big', 'wb').write(bytes(4 << 20))\nexcept OSError as error:\n    print(error.strerror)"
    # As large as the folder is: whichever bound comes first.
    assert inside.said(mode, code, app=app, enclosure=bounds(mode, disk_mb=2)) in (
        "File too large",
        "No space left on device",
    )


def test_the_lease_ends_the_first_process_of_a_namespace_too(mode: str, app: Path) -> None:
    """Signals with their default action do not."""
    code = """
import signal
from ovd.walls import calls
calls.exit_on_alarm()
signal.setitimer(signal.ITIMER_REAL, 0.1)
while True:
    pass
"""
    assert inside.run(mode, code, app=app).returncode == 14


def test_a_process_ends_with_its_runner_whatever_it_ignores(mode: str, app: Path) -> None:
    code = """
import os, signal, time
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()  # a child that hides
    time.sleep(300)
print("living", flush=True)
time.sleep(300)
"""
    runner = subprocess.Popen(**inside.command(mode, code, app=app), stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    assert runner.stdout.readline() == "living\n"
    runner.send_signal(signal.SIGKILL)
    began = time.monotonic()
    assert runner.stdout.read() == ""  # nobody holds the other end any more
    assert time.monotonic() - began < 10
    runner.wait()
    runner.stdout.close()
