"""Examples at work: an application of examples/ in an environment made from its own lock, as on a laptop."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).with_name("example_probe.py")


@dataclass(frozen=True)
class Example:
    """One application and the Python of its environment."""

    folder: Path
    python: Path
    scratch: Path

    @property
    def variables(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT / "sdk" / "src"),
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
        }

    def check(self) -> subprocess.CompletedProcess[str]:
        """`python -m ovd.testing`, as the platform does before a release is ready."""
        return subprocess.run(
            [self.python, "-m", "ovd.testing", self.folder, "--json"],
            env=self.variables,
            capture_output=True,
            text=True,
        )

    def ask(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """The answers of the probe, in one process for all requests."""
        done = subprocess.run(
            [self.python, PROBE, self.folder],
            input=json.dumps(requests),
            env=self.variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    def execute(
        self, inputs: dict[str, Any], *, files: dict[str, Path] | None = None, model: Path | None = None, seed: int = 1
    ) -> dict[str, Any]:
        """The final frame of one execution."""
        return self.ask(self.execution(inputs, files=files, model=model, seed=seed))[0]

    def execution(
        self, inputs: dict[str, Any], *, files: dict[str, Path] | None = None, model: Path | None = None, seed: int = 1
    ) -> dict[str, Any]:
        """The request for it; output files will lie in `scratch`, named by their `file`."""
        for old in self.scratch.iterdir():
            old.unlink()
        return {
            "call": "execute",
            "inputs": inputs,
            "files": {name: str(path) for name, path in (files or {}).items()},
            "model": str(model) if model else None,
            "keep": str(self.scratch),
            "seed": seed,
        }

    def outputs(self, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The outputs of an execution that succeeds."""
        final = self.execute(inputs, **more)
        assert final["type"] == "result", final
        found: dict[str, Any] = final["outputs"]
        return found

    def refusal(self, inputs: dict[str, Any], **more: Any) -> str:
        """Why an execution is declined by the application, or refused for what breaks the schema."""
        final = self.execute(inputs, **more)
        if final["type"] == "refused":
            return "; ".join(f"{field} {message}" for field, message in final["errors"])
        assert final["type"] == "rejected", final
        return str(final["message"])

    def sample(self, name: str) -> dict[str, Any]:
        """A sample file as it stands."""
        content: dict[str, Any] = json.loads((self.folder / "samples" / f"{name}.json").read_text(encoding="utf-8"))
        return content


def example(name: str, folder: Path) -> Example:
    """Makes the environment in `folder`: every package by hash from the lock, nothing else."""
    binary, environment = uv.find_uv_bin(), folder / "environment"
    python = environment / "bin" / "python"
    source = ROOT / "examples" / name
    scratch = folder / "scratch"
    scratch.mkdir()
    subprocess.run([binary, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [binary, "pip", "install", "--quiet", "--python", python, "--require-hashes"]
    if (source / "requirements.lock").stat().st_size:
        subprocess.run([*install, "--requirement", source / "requirements.lock"], check=True)
    return Example(source, python, scratch)
