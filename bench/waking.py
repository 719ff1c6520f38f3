"""From a POST to a sleeping application to its answer, everything archived: echo, scikit-learn and torch in turns.

    .venv/bin/python bench/waking.py [--wakes 30] [--first 5] [--only echo,w1,w2]

Starts a whole platform in a temporary folder. Each wake: sleep through the API, POST, time until the 201. Then the
first wake after the runner began anew, when no template is there, beside a bare `python -c` with the same imports and
load. Prints medians beside the targets and the peers of BASELINES, and where the time goes, from what the records say.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stage import Door, Stage, load, percentile, stage

ROOT = Path(__file__).resolve().parent.parent
PIXELS = [float(n % 17) for n in range(64)]
PAUSE = 0.15  # seconds after it fell asleep: what is noted afterwards is noted
REST = 0.3


@dataclass
class Load:
    """One application, what it should take, and what its peers take to their first answer (Flask … Ray Serve)."""

    name: str
    folder: Path
    inputs: Mapping[str, Any]
    target_ms: float
    peers_ms: tuple[float, float]
    bare: str  # a program with the same imports and load
    took: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    how: list[str] = field(default_factory=list)


LOADS = [
    Load("echo", ROOT / "tests" / "apps" / "echo", {"message": "hello"}, 20, (250, 13_000), "import app; app.Echo()"),
    Load("w1", ROOT / "bench" / "apps" / "w1", {"pixels": PIXELS}, 45, (1_460, 11_800),
         "import app; d = app.Digits(); d.setup(None)"),
    Load("w2", ROOT / "bench" / "apps" / "w2", {"pixels": PIXELS}, 70, (1_910, 13_500),
         "import app; d = app.Digits(); d.setup(None)"),
]  # fmt: skip
STAGES = ("asked", "planned", "born", "claimed", "executed", "answered")


def wake(door: Door, it: Load) -> None:
    door.sleep(f"demo/{it.name}")
    time.sleep(PAUSE)
    asked = time.time()
    it.took.append(1000 * door.execute(f"demo/{it.name}", it.inputs))
    answered = asked + it.took[-1] / 1000
    time.sleep(REST)
    it.stages.append(stages(it.name, asked, answered, it.how))


def stages(name: str, asked: float, answered: float, how: list[str]) -> dict[str, float]:
    """Milliseconds of each stage of the last wake."""
    from ovd_saas.store.records import Execution, Process

    execution = Execution.objects.filter(application__name=name).latest("created_at")
    while (process := Process.objects.get(pk=execution.process)).ready_at is None:
        time.sleep(0.02)  # its execution is over, and AppCore has not noted yet that it began
    how.append(process.how)
    born = process.started_at.timestamp() + process.ready_seconds if process.ready_seconds else _at(process.ready_at)
    moments = [asked, _at(execution.created_at), _at(process.started_at), born, _at(execution.started_at),
               _at(execution.finished_at), answered]  # fmt: skip
    return {stage: 1000 * (moments[number + 1] - moments[number]) for number, stage in enumerate(STAGES)}


def _at(moment: datetime | None) -> float:
    assert moment is not None
    return moment.timestamp()


def python_of(it: Load) -> tuple[Path, Path]:
    """The interpreter of its environment, and its unpacked release."""
    from django.conf import settings

    from ovd_saas.store.records import Release

    release = Release.objects.filter(application__name=it.name).latest("number")
    home = Path(settings.HOME)
    environment = next(home.glob(f"**/{release.environment.replace(':', '-')}/bin/python"))
    source = next(path.parent for path in home.glob("**/ovd.toml") if release.digest[7:19] in str(path))
    return environment, source


def first_wakes(up: Stage, door: Door, loads: list[Load], count: int) -> None:
    for _ in range(count):
        for it in loads:
            door.sleep(f"demo/{it.name}")
            restart_runner(up, door)
            it.first.append(1000 * door.execute(f"demo/{it.name}", it.inputs))
            python, source = python_of(it)
            began = time.perf_counter()
            variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "sdk" / "src"), "OMP_NUM_THREADS": "1"}
            subprocess.run([python, "-c", it.bare], cwd=source, env=variables, check=True, stdout=subprocess.DEVNULL)
            it.alone.append(1000 * (time.perf_counter() - began))


def restart_runner(up: Stage, door: Door) -> None:
    """Its templates end with it; `ovd up` starts it again."""
    pid = json.loads((up.home / "up.json").read_text())["pids"]["runner"]
    os.kill(pid, signal.SIGKILL)
    while json.loads((up.home / "up.json").read_text())["pids"]["runner"] in (pid, None):
        time.sleep(0.05)
    until = time.monotonic() + 30
    while not _is_up() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)


def _is_up() -> bool:
    from ovd_saas.store.records import Process, Runner

    return Runner.objects.filter(is_up=True).exists() and not Process.objects.exclude(state="ended").exists()


def report(loads: list[Load]) -> None:
    print(f"\n{'':6}{'p50 ms':>9}{'p95 ms':>9}{'least':>9}{'target':>9}{'ratio':>7}   peers, p50 ms; how it was born")
    for it in loads:
        p50, p95 = statistics.median(it.took), percentile(it.took, 0.95)
        low, high = it.peers_ms
        born = ", ".join(f"{how or '-'} {it.how.count(how)}" for how in sorted(set(it.how)))
        print(f"{it.name:6}{p50:9.1f}{p95:9.1f}{min(it.took):9.1f}{it.target_ms:9.0f}{p50 / it.target_ms:7.2f}"
              f"   {low:.0f} to {high:.0f}: {low / p50:.0f} to {high / p50:.0f} times as long; {born}")  # fmt: skip
    print(f"\nmedians, ms{'':3}" + "".join(f"{name:>10}" for name in STAGES))
    for it in loads:
        medians = {name: statistics.median(found[name] for found in it.stages) for name in STAGES}
        print(f"{it.name:14}" + "".join(f"{medians[name]:10.1f}" for name in STAGES))
    print(
        "asked: until the gateway has it; planned: row written, AppCore heard, planned; born: until the process is\n"
        "ready; claimed: until its execution is claimed; executed: until its result is here; answered: archived, sent"
    )


def report_first(loads: list[Load]) -> None:
    print(f"\n{'no template':14}{'first ms':>10}{'bare ms':>10}{'ratio':>7}  target ≤ 1.2")
    for it in loads:
        first, alone = statistics.median(it.first), statistics.median(it.alone)
        print(f"{it.name:14}{first:10.0f}{alone:10.0f}{first / alone:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wakes", type=int, default=30)
    parser.add_argument("--first", type=int, default=5, help="first wakes, without a template")
    parser.add_argument("--only", default="echo,w1,w2")
    options = parser.parse_args()
    loads = [it for it in LOADS if it.name in options.only.split(",")]
    with stage(**settings()) as up:
        door = up.door()
        for it in loads:
            began = time.monotonic()
            up.push(it.folder)
            print(f"{it.name} is published: {time.monotonic() - began:.1f} s", flush=True)
        for it in loads:
            wake(door, it)  # the first one builds what is missing
            it.took.clear(), it.stages.clear(), it.how.clear()
        for _ in range(options.wakes):
            for it in loads:
                wake(door, it)
        report(loads)
        print(load(), flush=True)
        if options.first:
            first_wakes(up, door, loads, options.first)
            report_first(loads)


def settings() -> dict[str, str]:
    """Where torch for processors comes from, if this machine says so to pip only."""
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    return {"UV_FIND_LINKS": wheels} if wheels and "UV_FIND_LINKS" not in os.environ else {}


if __name__ == "__main__":
    main()
