"""The tutorial, followed to the letter on the laptop: its commands, its files, and what it says one sees."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from sdk.tutorial_steps import Command, shows, steps

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-application.md"


def typed(line: str, folder: Path, config: Path) -> tuple[int, str]:
    """Exit code and all that is printed, as on a terminal, where both streams mix."""
    program, *arguments = shlex.split(line)
    is_ours = program == "ovd"
    done = subprocess.run(
        [sys.executable, "-c", "from ovd.cli import main; main()", *arguments] if is_ours else [program, *arguments],
        cwd=folder,
        env={**os.environ, "XDG_CONFIG_HOME": str(config), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return done.returncode, done.stdout


def test_the_tutorial_is_true(tmp_path: Path) -> None:
    folder, count = tmp_path / "repository", 0
    folder.mkdir()
    for step in steps(TUTORIAL):
        if not isinstance(step, Command):
            (folder / step.path).write_text(step.content, encoding="utf-8")
        elif step.words & {"platform", "setup"}:
            continue
        elif step.line.startswith("cd "):
            folder = folder / step.line[3:]
        else:
            code, printed = typed(step.line, folder, tmp_path / "config")
            assert shows(printed, step.prints), f"$ {step.line}\n{printed}"
            assert code == ("fails" in step.words), printed
            count += 1
    assert count >= 8
