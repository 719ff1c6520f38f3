"""The same bounds in a real runner without control groups."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd_saas.engines.base import Prepared
from runner.conftest import puppet_folder
from runner.running import Runner, Talk, until

FILL = "kept = bytearray(b'1') * (200 << 20)\nimport time; time.sleep(600)"
BOMB = "import subprocess\nkept = []\nwhile True: kept.append(subprocess.Popen(['sleep', '600']))"


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    made = Runner(OVD_CGROUPS="off")
    yield made
    made.close()


@pytest.fixture(scope="module")
def prepared(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Prepared]:
    return runner.prepare(puppet_folder(tmp_path_factory.mktemp("puppet")))


def test_the_walls_that_do_not_stand_say_why(runner: Runner) -> None:
    assert runner.engine.hello().walls["memory"] == "OVD_CGROUPS is off."


@pytest.mark.parametrize(("code", "reason"), [(FILL, "memory"), (BOMB, "tasks")])
def test_who_meets_a_bound_is_ended_with_the_reason(
    runner: Runner, prepared: tuple[str, Prepared], code: str, reason: str
) -> None:
    process, started = runner.start(prepared, memory_mb=64)
    Talk(started.address).begin(code=code)
    exited = runner.exited(process)
    assert (exited.reason, "killed: " in exited.message) == (reason, True)


def test_who_learns_gives_way(runner: Runner, prepared: tuple[str, Prepared]) -> None:
    process, started = runner.start(prepared, task=True, background=True)
    until(lambda: os.sched_getscheduler(started.pid or 0) == os.SCHED_IDLE, "the process to give way")
    automatic = Path(f"/proc/{started.pid}/autogroup")
    if automatic.exists():
        until(lambda: "nice 19" in automatic.read_text(), "its session to give way")
    runner.engine.stop(process, 0)
