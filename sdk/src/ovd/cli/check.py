"""Check: what is wrong with a folder, line by line, and whether its samples give what they should."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ovd import preloads
from ovd.cli.refusal import Refusal


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Folder of the application.")] = Path(),
) -> None:
    """Find mistakes in an application, and run its samples."""
    if not run_check(folder):
        raise typer.Exit(1)


def run_check(folder: Path) -> bool:
    """Check `folder` in a process of its own, print what is found, and say whether all is well."""
    problems, samples, is_ok = 0, 0, False
    for event in _events(folder):
        if event["event"] == "problem":
            problems += 1
            print(problem_line(event), flush=True)
        elif event["event"] == "sample":
            samples += 1
            print(sample_line(event), flush=True)
        elif event["event"] == "preload":
            print(preloads.said(event["modules"], event["source"]), flush=True)
        elif event["event"] == "done":
            is_ok = bool(event["ok"])
    if is_ok:
        tried = "" if samples else " There are no samples yet: put one in samples/ to try it on."
        print(f"{folder.resolve().name} is in order.{tried}")
    elif not problems and not samples:
        print(f"The check of {folder} ended without a result; what it printed is above.", file=sys.stderr)
    return is_ok


def problem_line(problem: "Mapping[str, Any]") -> str:
    """`file:line  key  what is wrong. How to cure.`"""
    place = str(problem.get("file") or "")
    if problem.get("line"):
        place += f":{problem['line']}"
    said = " ".join(str(problem.get(part) or "") for part in ("message", "cure")).strip()
    return "  ".join(part for part in (place, str(problem.get("key") or ""), said) if part)


def sample_line(sample: "Mapping[str, Any]") -> str:
    mark = "✓" if sample["status"] == "passed" else "✗"
    seconds = f"{sample.get('seconds') or 0:.2f} s"
    said = f"  {sample['message']}" if sample.get("message") else ""
    return f"{mark} samples/{sample['name']}  {seconds}{said}"


def _events(folder: Path) -> "Iterator[dict[str, Any]]":
    """What `python -m ovd.testing` reports; other lines are the application's own and go to stderr."""
    if not folder.is_dir():
        raise Refusal(f"{folder} is not a folder. Give the folder of an application (where its ovd.toml is).")
    process = subprocess.Popen(
        [sys.executable, "-m", "ovd.testing", str(folder), "--json"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            event = _event(line)
            if event is None:
                print(line, end="", file=sys.stderr)
            else:
                yield event


def _event(line: str) -> "dict[str, Any] | None":
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
