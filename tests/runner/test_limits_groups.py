"""Control groups of both versions, in the kernel of this machine as far as it has them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ovd_saas.runner import hierarchies
from ovd_saas.runner.cgroups import Group, Groups
from ovd_saas.runner.hierarchies import Hierarchy
from ovd_saas.runner.sandbox import MB, Limits

UNIFIED = next((found for found in hierarchies.mounted() if found.version == 2), None)
TOP = next(
    (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup2 " in line), ""
)
NOBODY = 65534

needs_version_1 = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/sys/fs/cgroup/memory/cgroup.procs").exists(), reason="needs version 1, and root"
)
needs_version_2 = pytest.mark.skipif(os.geteuid() != 0 or not TOP, reason="needs version 2, and root")


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Groups]:
    made = Groups(tmp_path)
    yield made
    made.close()


@pytest.fixture
def branch() -> Iterator[Path]:
    """A group of version 2 for one test."""
    folder = Path(TOP) / f"ovd-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    for group in sorted(folder.rglob("*/"), reverse=True):
        group.rmdir()
    folder.rmdir()


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", "import os, time; os.fork(); time.sleep(600)"], start_new_session=True
    )


def read(group: Group, controller: str, name: str) -> str:
    found = next(one for one in group._hierarchies if controller in one.controllers)
    return (found.folder / group.name / name).read_text().strip()


def as_nobody(within: Path, home: Path) -> dict[str, str]:
    """The walls that an ordinary user finds who works in this group."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            (within / "cgroup.procs").write_text("0")
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            groups = Groups(home)
            os.write(tell, json.dumps(groups.standing()).encode())
            groups.close()
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    with os.fdopen(told) as said:
        return dict(json.load(said))


@needs_version_1
def test_a_process_enters_with_what_it_forked_meanwhile_and_ends_with_its_group(groups: Groups) -> None:
    group = groups.make("p", Limits())
    assert group is not None
    process = sleeper()
    group.join(process.pid)
    group.settle()
    assert group.bounds("memory") and group.bounds("pids")
    groups.release(group)
    assert process.wait(10) == -signal.SIGKILL


@needs_version_1
def test_a_group_is_used_again_with_the_bounds_of_its_next_process(groups: Groups) -> None:
    first = groups.make("first", Limits(memory_mb=512, cpus=2), scratch_mb=256)
    assert first is not None
    assert read(first, "memory", "memory.limit_in_bytes") == str(768 * MB)
    assert read(first, "memory", "memory.memsw.limit_in_bytes") == str(768 * MB)
    groups.release(first)
    for limits, background in ((Limits(memory_mb=64, tasks=9), True), (Limits(memory_mb=900), False)):
        again = groups.make("again", limits, background)
        assert again is first
        assert read(again, "memory", "memory.limit_in_bytes") == str(limits.memory_mb * MB)
        assert read(again, "memory", "memory.memsw.limit_in_bytes") == str(limits.memory_mb * MB)
        assert read(again, "pids", "pids.max") == str(limits.tasks)
        assert read(again, "cpu", "cpu.idle") == str(int(background))
        assert again.breach() is None
        groups.release(again)


@needs_version_1
def test_a_breach_is_not_told_of_the_next_process(groups: Groups) -> None:
    group = groups.make("fills", Limits(memory_mb=32))
    assert group is not None
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(1); bytearray(90 << 20)"], stdin=-1)
    group.join(process.pid)
    group.settle()
    process.communicate(b"!")
    assert (process.returncode, group.breach()) == (-signal.SIGKILL, "memory")
    groups.release(group)
    again = groups.make("next", Limits(memory_mb=32))
    assert again is group
    assert again.breach() is None
    groups.release(again)


@needs_version_1
def test_an_ordinary_user_has_what_was_left_to_him(tmp_path: Path) -> None:
    own = next(found for found in hierarchies.mounted() if found.controllers == {"memory"}).folder
    left = own / f"ovd-test-{os.getpid()}"
    left.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    try:
        for path in (left, left / "cgroup.procs", left / "tasks", home):
            os.chown(path, NOBODY, NOBODY)
        for folder in (home, *home.parents):
            folder.chmod(folder.stat().st_mode | 0o011)
        standing = as_nobody(left, home)
        assert standing["memory"] == ""
        assert "Permission denied" in standing["cpu"]
        assert list(left.glob("ovd-*")) == []
    finally:
        left.rmdir()


@needs_version_2
def test_version_2_ends_a_group_at_once(branch: Path) -> None:
    with ThreadPoolExecutor(1) as porter:
        group = Group("ovd-one", [Hierarchy(2, branch, frozenset())], porter)
        group.dedicate("p", Limits(), background=False, scratch_mb=0)
        process = sleeper()
        group.join(process.pid)
        group.settle()
        assert process.pid in hierarchies.pids(branch / "ovd-one")
        group.kill()
        assert process.wait(10) == -signal.SIGKILL
        while not group.remove():
            group.kill()


@needs_version_2
def test_version_2_grants_controllers_only_where_the_processes_were_left_to_us(branch: Path) -> None:
    available = (Path(TOP) / "cgroup.controllers").read_text().split()
    if not available:
        pytest.skip("all controllers are those of version 1 here")
    top = Path(TOP) / "cgroup.subtree_control"
    had = top.read_text().split()
    top.write_text(f"+{available[0]}")
    process = sleeper()
    try:
        (branch / "cgroup.procs").write_text(str(process.pid))
        wanted = Hierarchy(2, branch, frozenset({available[0]}))
        assert hierarchies.usable([wanted], "ovd-try")[0] == []
        os.setxattr(branch, "trusted.delegate", b"1")
        assert hierarchies.usable([wanted], "ovd-try")[0] == [wanted]
        assert process.pid in hierarchies.pids(branch / hierarchies.LEAF)
        inside = Hierarchy(2, branch / hierarchies.LEAF, frozenset({available[0]}))
        assert hierarchies.usable([inside], "ovd-try")[0] == [wanted]  # where we are after a restart
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while hierarchies.pids(branch / hierarchies.LEAF):
            pass
        (branch / hierarchies.LEAF).rmdir()
        (branch / "cgroup.subtree_control").write_text(f"-{available[0]}")
        if available[0] not in had:
            top.write_text(f"-{available[0]}")


def test_bounds_of_version_2_are_written_in_its_words(tmp_path: Path) -> None:
    """Into plain files: the kernels that we test on have these controllers in version 1."""
    (tmp_path / "ovd-one").mkdir()
    (tmp_path / "ovd-one" / "cpu.idle").touch()
    with ThreadPoolExecutor(1) as porter:
        group = Group("ovd-one", [Hierarchy(2, tmp_path, frozenset({"memory", "pids", "cpu"}))], porter)
        group.dedicate("p", Limits(memory_mb=100, cpus=2, tasks=50), background=False, scratch_mb=28)
        written = {path.name: path.read_text() for path in (tmp_path / "ovd-one").iterdir()}
        assert written == {
            "memory.max": str(128 * MB), "memory.oom.group": "1", "memory.swap.max": "0", "pids.max": "50",
            "cpu.idle": "0", "cpu.weight": "200",
        }  # fmt: skip
        group.dedicate("p", Limits(), background=True, scratch_mb=0)
        assert (tmp_path / "ovd-one" / "cpu.idle").read_text() == "1"
        (tmp_path / "ovd-one" / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n")
        (tmp_path / "ovd-one" / "memory.stat").write_text("anon 1000\nfile 7000\nkernel 20\nshmem 300\n")
        (tmp_path / "ovd-one" / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
        assert group.breach() == "memory"
        assert group.usage() == (1320, 2.5)


def test_own_groups_are_found_below_what_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("3:cpu,cpuacct:/box/inner\n2:memory:/box\n1:name=systemd:/x\n0::/\n")
    (tmp_path / "mountinfo").write_text(
        "31 1 0:1 / /c/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 1 0:2 /box /c/memory rw shared:5 - cgroup cgroup rw,memory\n"
        "33 1 0:3 / /c/systemd rw - cgroup cgroup rw,name=systemd\n"
        "34 1 0:4 / / rw - ext4 /dev/sda rw\n"
    )
    assert hierarchies.mounted(tmp_path) == [
        Hierarchy(1, Path("/c/cpu,cpuacct/box/inner"), frozenset({"cpu", "cpuacct"})),
        Hierarchy(1, Path("/c/memory"), frozenset({"memory"})),
    ]
