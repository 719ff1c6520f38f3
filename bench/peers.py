"""Peers: what we are measured beside, each in an environment of its own under /tmp, made once with uv."""

import subprocess
import sys
from pathlib import Path

SERVER = ("uvicorn==0.38.0", "uvloop==0.22.1", "httptools==0.7.1")


def python(name: str, *wanted: str) -> Path:
    """The interpreter of this environment; `wanted` are requirements, or `-r` and a file."""
    place = Path("/tmp/ovd-bench-peers") / name
    interpreter = place / "bin" / "python"
    if not (place / "complete").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(interpreter), *wanted], check=True)
        (place / "complete").touch()
    return interpreter
