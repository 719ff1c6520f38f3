"""What a process may use, where control groups hold it: each bound ends it with its reason, and its neighbours live."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd_saas.engines.base import Prepared
from runner.conftest import puppet_folder
from runner.running import Runner, Talk, application, is_alive, until

Puppet = tuple[str, Prepared]

ROOT = Path("/sys/fs/cgroup")
FILL = "kept = bytearray(400 << 20); answer = len(kept)"
CHILD_FILLS = (
    "import subprocess, sys\n"
    "answer = subprocess.run([sys.executable, '-c', 'bytearray(400 << 20)'], capture_output=True).returncode"
)
BOMB = "import subprocess\nkept = []\nwhile True: kept.append(subprocess.Popen(['sleep', '600']))"
WRITES = "with open('large', 'wb') as file:\n    for _ in range(150): file.write(bytes(1 << 20))\nanswer = 'written'"
FILLER = """
import threading
from pathlib import Path
from ovd import App

def fill():
    for number in range(60):
        Path(str(number)).write_bytes(bytes(1 << 20))

class Filler(App):
    def setup(self, model):
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        if any(kind != "tmpfs" for _, place, kind, *_ in mounts if place == "/scratch"):
            threading.Thread(target=fill).start()

    def execute(self) -> str:
        return ""
"""


def groups_of(pid: int) -> dict[str, Path]:
    """The group of a process in each hierarchy of version 1, by controller."""
    found: dict[str, Path] = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        found.update({name: ROOT / name / path.lstrip("/") for name in controllers.split(",")})
    return found


def own_group(pid: int) -> dict[str, Path]:
    """The same, once it is in its own of each."""

    def own() -> dict[str, Path] | None:
        groups = groups_of(pid)
        return groups if all("ovd-" in groups[one].name for one in ("cpu", "memory")) else None

    return until(own, "the process to enter its control groups")


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (ROOT / "memory" / "cgroup.procs").exists(),
    reason="needs control groups of version 1, and the right to use them",
)


@pytest.fixture
def busy_neighbour(shared: Runner, puppet: Puppet) -> Iterator[Talk]:
    """A process that must go on to answer, whatever becomes of the others."""
    process, started = shared.start(puppet)
    talk = Talk(started.address)
    yield talk
    assert talk.ask("answer = 42") == "42"
    talk.close()
    shared.engine.stop(process, 0)


@pytest.mark.parametrize("code", [FILL, CHILD_FILLS], ids=["itself", "a child of it"])
def test_who_holds_more_memory_than_it_may_is_ended_with_the_reason(
    shared: Runner, puppet: Puppet, busy_neighbour: Talk, code: str
) -> None:
    process, started = shared.start(puppet, memory_mb=128, disk_mb=16)
    own_group(started.pid)
    Talk(started.address).begin(code=code)
    exited = shared.exited(process)
    assert (exited.reason, exited.message) == ("memory", "killed: reached the memory limit of 128 MB")


def test_scratch_in_memory_does_not_count_as_memory_of_the_process(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet, memory_mb=64, disk_mb=200)
    own_group(started.pid)
    talk = Talk(started.address)
    assert talk.ask(WRITES) == "written"
    talk.begin(code="kept = bytearray(b'1') * (100 << 20)\nimport time; time.sleep(600)")
    assert shared.exited(process).message == "killed: reached the memory limit of 64 MB"


def test_a_fork_bomb_is_ended_with_the_reason(shared: Runner, puppet: Puppet, busy_neighbour: Talk) -> None:
    process, started = shared.start(puppet)
    own_group(started.pid)
    Talk(started.address).begin(code=BOMB)
    exited = shared.exited(process)
    assert (exited.reason, exited.message) == ("tasks", "killed: more than 512 processes and threads at once")


def test_a_process_has_processor_time_for_what_it_asked_and_learning_has_what_is_left(
    shared: Runner, puppet: Puppet
) -> None:
    serving, started = shared.start(puppet, cpus=2)
    learning, task = shared.start(puppet, task=True, background=True)
    assert (own_group(started.pid)["cpu"] / "cpu.shares").read_text() == "2048\n"
    assert (own_group(task.pid)["cpu"] / "cpu.idle").read_text() == "1\n"
    for process in (serving, learning):
        shared.engine.stop(process, 0)


def test_memory_and_processor_time_are_told(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    own_group(started.pid)
    talk = Talk(started.address)
    talk.ask("import time\napp.kept = bytearray(b'1') * (50 << 20)\nend = time.process_time() + 0.3\n"
             "while time.process_time() < end: pass")  # fmt: skip
    listed = next(one for one in shared.engine.hello().processes if one.process == process)
    assert 50 < listed.rss_mb < 100
    assert 0.3 < listed.cpu_seconds < 10
    shared.engine.stop(process, 0)


def test_who_fills_its_folder_on_disk_is_ended_with_the_reason(shared: Runner, tmp_path: Path) -> None:
    filler = shared.prepare(application(tmp_path / "filler", FILLER, entry="Filler"))
    process, _ = shared.start(filler, task=True, disk_mb=32)
    exited = shared.exited(process)
    assert (exited.reason, exited.message) == ("disk", "killed: filled its disk limit of 32 MB")


def test_the_next_runner_ends_what_is_in_the_groups_of_a_dead_one_and_removes_them(own: Runner, tmp_path: Path) -> None:
    started = own.start(own.prepare(puppet_folder(tmp_path)))[1]
    group = own_group(started.pid)["memory"]
    orphan = os.fork()
    if orphan == 0:
        signal.pause()
        os._exit(0)
    (group / "cgroup.procs").write_text(str(orphan))
    os.kill(own.pid, signal.SIGKILL)
    own.restart()
    assert os.waitstatus_to_exitcode(os.waitpid(orphan, 0)[1]) == -signal.SIGKILL
    assert not is_alive(started.pid)
    assert not group.exists()


def test_a_runner_that_ends_leaves_no_group(own: Runner, tmp_path: Path) -> None:
    started = own.start(own.prepare(puppet_folder(tmp_path)))[1]
    groups = [group for group in own_group(started.pid).values() if group.name.startswith("ovd-")]
    own.process.terminate()
    own.process.wait(10)
    assert not [group for group in groups if group.exists()]
