"""Who works in the background gives way to all, and still gets on with it where others leave nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ovd_saas.runner.cgroups import Group, Groups
from ovd_saas.runner.hierarchies import CPU
from ovd_saas.runner.quotas import Quota
from ovd_saas.runner.sandbox import Limits
from ovd_saas.runner.watches import GROUPS, STARVED_LOOKS, Watch


class Sleeper:
    """A process that gets no processor time, as one that is starved."""

    def __init__(self, group: Group) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        self.pid = self.process.pid
        self.limits = Limits()
        self.group: Group | None = group
        self.quota: Quota | None = None
        self.inherited_bytes = 0
        self.must_give_way = True

    def kill(self, reason: str) -> None:
        raise AssertionError(f"It was killed: {reason}.")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    groups = Groups(tmp_path)
    group = groups.make("learner", Limits(), background=True)
    if group is None or not group.bounds(CPU):
        pytest.skip("no control group for processor time here")
    child = Sleeper(group)
    group.join(child.pid)
    yield child
    os.kill(child.pid, signal.SIGKILL)
    child.process.wait()
    groups.close()


def is_last(group: Group | None) -> bool:
    assert group is not None
    (hierarchy,) = [one for one in group._hierarchies if CPU in one.controllers]
    return (hierarchy.folder / group.name / "cpu.idle").read_text().strip() == "1"


def test_one_that_is_left_nothing_has_a_turn_now_and_again(sleeper: Sleeper) -> None:
    watch, seen = Watch(), []
    assert is_last(sleeper.group)
    for _ in range(3 * (STARVED_LOOKS + 1)):
        for _ in range(GROUPS):
            watch.look([sleeper])
        seen.append(is_last(sleeper.group))
    assert seen.count(False) in (2, 3), seen
    assert all(before or after for before, after in pairwise(seen)), "a turn lasts one look"
