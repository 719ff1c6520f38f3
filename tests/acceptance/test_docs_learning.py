"""The tutorial about learning is true, from its first line to the last, on a running platform."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from platforms import ROOT, Platform

from sdk.tutorial_steps import Command, shows, steps

pytestmark = pytest.mark.timeout(300)  # five learning runs, and two environments

TUTORIAL = ROOT / "docs" / "tutorial" / "learning-application.md"
CODES = {"fails": 1, "rejected": 3}


def typed(platform: Platform, line: str, folder: Path) -> tuple[int, str]:
    """Exit code and all that is printed, as on a terminal, where both streams mix."""
    program, *arguments = shlex.split(line)
    commands = {"ovd": [sys.executable, "-m", "ovd.cli"], "python": [sys.executable]}
    environment = {**platform.environment(), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [*commands.get(program, [program]), *arguments],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_the_tutorial_about_learning_is_true(platform: Platform, tmp_path: Path) -> None:
    folder, on_platform = tmp_path, 0
    for step in steps(TUTORIAL):
        if not isinstance(step, Command):
            (folder / step.path).write_text(step.content, encoding="utf-8")
        elif "setup" in step.words:
            continue
        elif step.line.startswith("cd "):
            folder = (folder / step.line[3:]).resolve()
        else:
            code, printed = typed(platform, step.line, folder)
            expected = next((CODES[word] for word in step.words if word in CODES), 0)
            assert code == expected, f"$ {step.line}\n{printed}"
            assert shows(printed, step.prints), f"$ {step.line}\n{printed}"
            on_platform += "platform" in step.words
    assert on_platform >= 10
