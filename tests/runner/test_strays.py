"""Strays are ended by who adopts orphans, and by nobody else."""

import subprocess
import sys

from ovd_saas.runner import footprints, strays
from runner.running import until


def test_a_process_that_adopts_no_orphans_leaves_its_children_alone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        until(lambda: footprints.age(child.pid) > strays.YOUNG, "the child to be old enough")
        strays.end((), ())
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()
