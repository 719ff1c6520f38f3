"""Memory of ten awake scikit-learn applications that share one environment: forked from a template, and spawned.

    .venv/bin/python bench/density.py [--applications 10] [--executions 5]

Starts a whole platform in a temporary folder for each of the two, pushes bench/apps/w1, makes the others as rows with a
release of the same bytes, and executes each a few times. Prints proportional set sizes: pages that are shared count
once, divided among those who share them. `together` is what these applications cost: all their processes and the
template, without the runner, which serves whatever else there is, too.
"""

import argparse
import json
import statistics
import subprocess
import sys

import psutil
from many import KINDS, MANIFEST, copy
from stage import Stage, load, pss_mib, stage

TARGET_MIB = 250
PEERS_MIB = (1_300, 4_100)  # ten servers of the peers, BASELINES
STAYS_SECONDS = 600.0
KIND = "w1"


def awake(on: Stage, count: int, executions: int) -> dict[str, float]:
    """MiB of each part when so many are awake."""
    from django.conf import settings

    from ovd_saas.engines.local import Local
    from ovd_saas.store.records import Process

    door, (_, inputs, _) = on.door(), KINDS[KIND]
    for address, _ in copy(count, STAYS_SECONDS, kinds=[KIND]):
        for _ in range(executions):
            door.execute(address, inputs)
    machine = Local(settings.RUN).hello()
    templates = {template.pid for template in machine.templates}
    children = {child.pid for child in psutil.Process(on.pids["runner"]).children(recursive=True)}
    assert Process.objects.filter(state="ready").count() == count, "one is not awake"
    each = [pss_mib(pid) for pid in children - templates]
    return {
        "processes": len(each), "one application": statistics.median(each), "applications": sum(each),
        "templates": sum(pss_mib(pid) for pid in templates), "runner": pss_mib(on.pids["runner"]),
    }  # fmt: skip


def measure(options: argparse.Namespace) -> dict[str, float]:
    with stage() as on:
        folder, _, memory = KINDS[KIND]
        on.push(folder, manifest=MANIFEST.format(memory=memory), sleep=f'wake = "{options.only}"')
        return awake(on, options.applications, options.executions)


def apart(wake: str, options: argparse.Namespace) -> dict[str, float]:
    """`measure` in a process of its own, as records are of one platform."""
    numbers = ["--applications", str(options.applications), "--executions", str(options.executions)]
    command = [sys.executable, __file__, "--only", wake, *numbers]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--applications", type=int, default=10)
    parser.add_argument("--executions", type=int, default=5)
    parser.add_argument("--only", choices=("fork", "spawn"), help="prints JSON")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options)))
        return
    found = {wake: apart(wake, options) for wake in ("fork", "spawn")}
    print(f"{options.applications} awake, MiB PSS{'':14}{'forked':>10}{'spawned':>10}")
    for part in ("one application", "applications", "templates"):
        print(f"{part:30}{found['fork'][part]:10.1f}{found['spawn'][part]:10.1f}")
    together = {wake: parts["applications"] + parts["templates"] for wake, parts in found.items()}
    print(f"{'together':30}{together['fork']:10.1f}{together['spawn']:10.1f}  target ≤ {TARGET_MIB}")
    print(f"{'the runner':30}{found['fork']['runner']:10.1f}{found['spawn']['runner']:10.1f}")
    print(f"spawned / forked: {together['spawn'] / together['fork']:.1f}; {load()}")
    print("ten servers of the peers: {:,} to {:,} MiB (BASELINES)".format(*PEERS_MIB))
    raise SystemExit(0 if together["fork"] <= TARGET_MIB else 1)


if __name__ == "__main__":
    main()
