"""What a process may use, where no control group holds it: looked at from outside."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ovd_saas.runner import footprints, priorities
from ovd_saas.runner.children import Child, Nursery, usages
from ovd_saas.runner.endings import Exit
from ovd_saas.runner.sandbox import Limits, variables
from ovd_saas.runner.starts import Order, Spawn

PATIENCE = 30.0
FILLS = "import time; x = b'1' * (90 << 20); time.sleep(99)"
CHILD_FILLS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {FILLS!r}])"
FORKS = """
import asyncio, os, sys, time
from ovd_saas.runner.children import Nursery
from ovd_saas.runner.sandbox import Limits
from ovd_saas.runner.starts import Forked, Spawn, pipes

inherited = bytearray(b"1") * (90 << 20)

async def live():
    told, tell = os.pipe()
    with pipes() as made:
        pid = os.fork()
        if pid == 0:
            os.read(told, 1)
            kept = bytearray(b"1") * (int(sys.argv[1]) << 20)
            time.sleep(4)
            os._exit(0)
        child = Nursery(Spawn()).take(Forked(pid, *made.keep()), limits=Limits(64), output=lambda _, __: None)
    os.write(tell, b"!")
    print((await child.exited).killed_for)

asyncio.run(live())
"""


def order(folder: Path, code: str, limits: Limits) -> Order:
    values = variables(scratch=folder, path=[], python_path=[], cpus=1)
    return Order([sys.executable, "-c", code], values, folder, limits)


def ended(folder: Path, code: str, limits: Limits) -> Exit:
    """How a process that runs this code ends, watched."""

    async def live() -> Exit:
        child = Nursery(Spawn()).bear(order(folder, code, limits), lambda _, __: None)
        return await asyncio.wait_for(child.exited, PATIENCE)

    return asyncio.run(live())


def test_who_holds_too_much_is_killed(tmp_path: Path) -> None:
    assert ended(tmp_path, FILLS, Limits(64)).killed_for == "memory"


def test_what_children_hold_counts(tmp_path: Path) -> None:
    assert ended(tmp_path, CHILD_FILLS, Limits(64)).killed_for == "memory"


def test_shared_memory_counts(tmp_path: Path) -> None:
    code = "import mmap, time; m = mmap.mmap(-1, 90 << 20); m.write(b'1' * (90 << 20)); time.sleep(99)"
    assert ended(tmp_path, code, Limits(64)).killed_for == "memory"


def test_files_that_the_kernel_can_drop_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(bytes(1 << 20) * 90)
    code = (
        "import mmap, time\n"
        "f = open('model')\n"
        "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
        "x = sum(m[n] for n in range(0, len(m), 4096))\n"
        "time.sleep(3)"
    )
    found = ended(tmp_path, code, Limits(64))
    assert (found.code, found.killed_for) == (0, None)


def test_too_many_threads_are_killed(tmp_path: Path) -> None:
    code = "import threading, time\nfor _ in range(40): threading.Thread(target=time.sleep, args=(99,)).start()"
    assert ended(tmp_path, code, Limits(tasks=20)).killed_for == "tasks"


@pytest.mark.parametrize(("more_mb", "killed_for"), [(30, "None"), (200, "memory")])
def test_who_was_forked_is_not_blamed_for_the_pages_that_it_was_born_with(more_mb: int, killed_for: str) -> None:
    """Its parent holds 90 MB, it may hold 64, and is well with 30 more; 200 more are too much."""
    said = subprocess.run(
        [sys.executable, "-c", FORKS, str(more_mb)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == killed_for


def test_the_folder_on_disk_has_a_limit(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    async def live() -> str | None:
        nursery = Nursery(Spawn())
        wish = order(scratch, "open('f', 'wb').write(bytes(9 << 20)); import time; time.sleep(99)", Limits(disk_mb=20))
        child = nursery.take(Spawn().start(wish), limits=Limits(disk_mb=8), output=lambda _, __: None, disk=scratch)
        return (await asyncio.wait_for(child.exited, PATIENCE)).killed_for

    assert asyncio.run(live()) == "disk"


def test_usage_is_that_of_the_process_and_its_children(tmp_path: Path) -> None:
    async def live() -> tuple[int, float]:
        nursery = Nursery(Spawn())
        came = asyncio.Event()
        code = "import os, time; x = b'1' * (40 << 20); os.fork(); print(1, flush=True); time.sleep(99)"
        child: Child = nursery.bear(order(tmp_path, code, Limits()), lambda _, __: came.set())
        await asyncio.wait_for(came.wait(), PATIENCE)
        used = usages([child])[child.pid]
        child.kill("test")
        await child.exited
        return used

    held, seconds = asyncio.run(live())
    assert held > 40 << 20
    assert seconds > 0


def forked(code: Callable[[], None]) -> tuple[int, Callable[[], None]]:
    """A child that called `code`, and what ends it."""
    told, tell = os.pipe()
    waits, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        code()
        os.write(tell, b"!")
        os.read(waits, 1)
        os._exit(0)
    os.close(tell)
    os.close(waits)
    os.read(told, 1)

    def end() -> None:
        os.close(told)
        os.close(go)
        os.waitpid(child, 0)

    return child, end


def test_who_works_in_the_background_gives_way() -> None:
    child, end = forked(os.setsid)
    try:
        assert priorities.give_way(child)
        assert os.sched_getscheduler(child) == os.SCHED_IDLE
        automatic = Path(f"/proc/{child}/autogroup")
        assert not automatic.exists() or "nice 19" in automatic.read_text()
    finally:
        end()


def test_who_leads_no_session_would_slow_others_too_and_is_asked_again() -> None:
    child, end = forked(lambda: None)
    try:
        assert not priorities.give_way(child)
    finally:
        end()


def test_a_look_at_a_tree_finds_all_its_descendants() -> None:
    def have_a_child() -> None:
        if os.fork() == 0:
            signal.pause()

    child, end = forked(have_a_child)
    descendants = footprints.descendants(child)
    try:
        assert len(descendants) == 1
        assert set(footprints.trees({child})[child].pids) == {child} | descendants
    finally:
        os.kill(descendants.pop(), signal.SIGKILL)
        end()
