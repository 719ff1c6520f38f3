"""`ovd doctor` and the runner, on a machine with its walls, and on one where the kernel refuses to make them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ovd.walls import calls, seccomp
from ovd_saas.runner.walls import NAMES

DOCTOR = [sys.executable, "-m", "ovd.cli", "doctor"]
RUNNER = [sys.executable, "-m", "ovd_saas.runner"]


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ovd-") as name:  # a short path: it holds sockets
        yield Path(name)


def refusing() -> None:
    """From now on this process and its children get no namespace and no mount, as in many containers."""
    calls.no_new_privileges()
    seccomp.install(seccomp.of_application(seccomp.here(), local=True, network=True, devices=False))


def run(
    arguments: list[str], home: Path, before: Callable[[], None] | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OVD_HOME": str(home), "OVD_RUN": str(home / "run"), **variables}
    return subprocess.run(arguments, env=environment, preexec_fn=before, capture_output=True, text=True, timeout=100)


def test_the_doctor_names_every_wall(home: Path) -> None:
    told = run(DOCTOR, home, OVD_WALLS="").stdout
    signs = {line.split()[2]: line[0] for line in told.splitlines() if line[2:].startswith("wall ")}
    assert tuple(signs) == NAMES
    assert set(signs.values()) <= {"✓", "–"}


def test_the_doctor_says_why_a_wall_does_not_stand_and_fails_only_if_it_must(home: Path) -> None:
    may = run(DOCTOR, home, refusing, OVD_WALLS="")
    line = next(line for line in may.stdout.splitlines() if "wall files" in line)
    assert line.startswith("–")
    assert "missing. " in line
    assert "Operation not permitted" in line
    assert "container" in line
    must = run(DOCTOR, home, refusing, OVD_WALLS="files")
    assert next(line for line in must.stdout.splitlines() if "wall files" in line).startswith("✗")
    assert must.returncode == 1


def test_the_doctor_knows_no_other_walls(home: Path) -> None:
    told = run(DOCTOR, home, OVD_WALLS="moat")
    assert told.returncode == 1
    assert "moat, which is no wall" in told.stdout


def test_a_runner_refuses_to_run_without_a_wall_that_must_stand(home: Path) -> None:
    ended = run(RUNNER, home, refusing, OVD_WALLS="files, network")
    assert ended.returncode == 2
    assert "files:" in ended.stderr
    assert "network:" in ended.stderr
    assert "take the names out of OVD_WALLS" in ended.stderr
    assert not (home / "run" / "runner.sock").exists()
