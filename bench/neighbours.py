"""What an interactive execution takes while a neighbour learns on the same cores, beside the same alone.

    .venv/bin/python bench/neighbours.py [--rounds 20] [--seconds 1.5] [--kinds echo,sums]

Starts a whole platform in a temporary folder, wakes tests/apps/echo and bench/apps/sums (about 5 ms of arithmetic),
and has bench/apps/learns keep two threads busy. One client executes through the public API without a pause, in rounds:
while the learning process is stopped, and while it goes on. Prints medians over the
rounds, and what learning got meanwhile.
"""

import argparse
import os
import signal
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from stage import Door, Stage, cpu_seconds, load, percentile, stage

ROOT = Path(__file__).resolve().parent.parent
TARGET = 1.5
INPUTS = {"echo": {"message": "hello"}, "sums": {}}
FOLDERS = {"echo": ROOT / "tests/apps/echo", "sums": ROOT / "bench/apps/sums"}
WARM = 30  # executions before anything is measured
SETTLE_SECONDS = 0.1  # after the neighbour was stopped or let go on
SAMPLES = b"".join(b'{"value": %d}\n' % value for value in range(8))


@dataclass
class Phase:
    """What executions took in each round, milliseconds, and the share of a core that learning had."""

    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    executions: int = 0


def learn(place: Stage) -> int:
    """The number of the process that learns from now on."""
    from ovd_saas.store.records import Process

    place.push(ROOT / "bench/apps/learns")
    door = place.door()
    status, body = door.feed("/api/v1/applications/demo/learns/intake", SAMPLES)
    assert status == 201, body
    deadline = time.monotonic() + 120
    while True:
        row = Process.objects.filter(kind="learn").exclude(state="ended").first()
        if row is not None and row.pid and cpu_seconds(row.pid) > 0.2:
            return int(row.pid)
        assert time.monotonic() < deadline, "it does not learn"
        time.sleep(0.1)


def measure(door: Door, kind: str, pid: int, phase: Phase, *, is_alone: bool, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP if is_alone else signal.SIGCONT)
    time.sleep(SETTLE_SECONDS)
    began, had = time.monotonic(), cpu_seconds(pid)
    took = []
    while time.monotonic() - began < seconds:
        took.append(1000 * door.execute(f"demo/{kind}", INPUTS[kind]))
    phase.shares.append((cpu_seconds(pid) - had) / (time.monotonic() - began))
    phase.p50.append(statistics.median(took))
    phase.p95.append(percentile(took, 0.95))
    phase.executions += len(took)


def report(kind: str, alone: Phase, beside: Phase) -> None:
    print(f"{kind:26}{'p50 ms':>9}{'p95 ms':>9}{'executions':>12}{'learning: cores':>17}")
    for name, phase in (("alone", alone), ("while a neighbour learns", beside)):
        figures = statistics.median(phase.p50), statistics.median(phase.p95)
        share = statistics.median(phase.shares)
        print(f"  {name:24}{figures[0]:9.2f}{figures[1]:9.2f}{phase.executions:12}{share:17.2f}")
    ratio = statistics.median(beside.p95) / statistics.median(alone.p95)
    print(f"  p95 is {ratio:.2f} times the p95 alone (target ≤ {TARGET:g})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each phase")
    parser.add_argument("--kinds", default="echo,sums")
    options = parser.parse_args()
    print(load())
    with stage() as place:
        kinds = options.kinds.split(",")
        door = place.door()
        for kind in kinds:
            place.push(FOLDERS[kind])
            for _ in range(WARM):
                door.execute(f"demo/{kind}", INPUTS[kind])
        pid = learn(place)
        for kind in kinds:
            alone, beside = Phase(), Phase()
            for _ in range(options.rounds):
                measure(door, kind, pid, alone, is_alone=True, seconds=options.seconds)
                measure(door, kind, pid, beside, is_alone=False, seconds=options.seconds)
            report(kind, alone, beside)
    print(load())


if __name__ == "__main__":
    main()
