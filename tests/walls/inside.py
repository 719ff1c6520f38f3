"""Inside: run code behind the walls, as root's runner and as an ordinary user's."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SDK = HERE.parents[1] / "sdk" / "src"
ORDINARY = 12345  # a uid that owns nothing; it need not have a name
UID = 7  # of the process, in its template's range
WALLS = ("user", "files", "processes", "network", "ipc", "landlock", "seccomp", "privileges", "limits")


def modes() -> list[str]:
    """The ways in which a runner can run here."""
    return ["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"]


def command(
    mode: str,
    code: str,
    *,
    app: Path,
    walls: Sequence[str] = WALLS,
    python: str | None = None,
    enclosure: Mapping[str, Any] | None = None,
    **further: Any,
) -> dict[str, Any]:
    """What `subprocess.run` is to be given."""
    python = python or python_for(mode)
    order = {
        "code": code,
        "app": str(app),
        "walls": list(walls),
        "python": python,
        "paths": [str(SDK), str(HERE)],
        "read_only": [*prefixes(python), str(SDK), str(HERE)],
        "enclosure": {"uid": UID if mode == "root" else None, **(enclosure or {})},
        **further,
    }
    starting: dict[str, Any] = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
    return {
        "args": [python, str(HERE / "launching.py"), json.dumps(order)],
        "env": {"PYTHONPATH": str(SDK), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SECRET": "of the platform"},
        "cwd": "/",
        **(starting if mode == "ordinary" and os.geteuid() == 0 else {}),
    }


def run(mode: str, code: str, **asked: Any) -> subprocess.CompletedProcess[str]:
    """Run code behind the walls to its end; see `command` and `launching.py` for what can be asked."""
    return subprocess.run(**command(mode, code, **asked), capture_output=True, text=True, timeout=60)


def said(mode: str, code: str, **asked: Any) -> str:
    """What code prints behind the walls. It must succeed."""
    ended = run(mode, code, **asked)
    assert ended.returncode == 0, f"exit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout.strip()


def python_for(mode: str) -> str:
    """Our own Python, if that user may execute it."""
    executable = Path(sys.executable)
    hidden = any(not folder.stat().st_mode & 0o001 for folder in executable.resolve().parents)
    return "/usr/bin/python3" if mode == "ordinary" and os.geteuid() == 0 and hidden else sys.executable


def prefixes(python: str) -> list[str]:
    """The folders that a Python needs."""
    if python != sys.executable:
        return []  # in /usr
    return [sys.prefix, sys.base_prefix, sysconfig.get_paths()["stdlib"]]
