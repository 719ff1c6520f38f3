"""What the documents say about a running platform is true: the whole tutorial, and the README's commands."""

import shlex
import subprocess
import sys
from pathlib import Path

from platforms import ROOT, Platform

from sdk.tutorial_steps import Command, commands, shows, steps

TUTORIAL = ROOT / "docs" / "tutorial" / "first-application.md"


def typed(platform: Platform, line: str, folder: Path) -> tuple[int, str]:
    """Exit code and all that is printed, as on a terminal, where both streams mix."""
    program, *arguments = shlex.split(line)
    command = [sys.executable, "-m", "ovd.cli"] if program.endswith("ovd") else [program]
    environment = {**platform.environment(), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout


def test_the_tutorial_is_true_from_the_first_line_to_the_platform(platform: Platform, tmp_path: Path) -> None:
    folder, on_platform = tmp_path, 0
    for step in steps(TUTORIAL):
        if not isinstance(step, Command):
            (folder / step.path).write_text(step.content, encoding="utf-8")
        elif "setup" in step.words:
            continue
        elif step.line.startswith("cd "):
            folder = folder / step.line[3:]
        else:
            code, printed = typed(platform, step.line, folder)
            assert code == ("fails" in step.words), printed
            if "platform" in step.words:  # the rest is compared by the laptop's test
                assert shows(printed, step.prints), f"$ {step.line}\n{printed}"
            on_platform += "platform" in step.words
    assert on_platform >= 3


def test_the_commands_of_the_readme_work(platform: Platform, tmp_path: Path) -> None:
    platform.push(ROOT / "examples" / "word-count")
    text = (ROOT / "README.md").read_text().replace("\n   ", "\n")
    said = [part.split("```")[0] for part in text.split("```console\n")[1:]]
    lines = [step.line for body in said for step in commands(body, frozenset())]
    assert [line for line in lines if line.startswith("make")] == ["make up", "make test"]
    ours = [line for line in lines if ".venv/bin/ovd" in line]
    assert len(ours) == 5
    for line in ours:
        code, printed = typed(platform, line, tmp_path)
        assert code == 0, f"$ {line}\n{printed}"
