"""Two hundred applications of three environments on one machine, visited at random: whether each visit succeeds.

    .venv/bin/python bench/many.py [--visits 20000] [--applications 200] [--clients 8] [--after 2]
        [--memory-mb 4096] [--templates-mb 512]        # --visits 300 --applications 30 for daily use

Starts a whole platform in a temporary folder and pushes one application of each environment: plain (tests/apps/echo),
NumPy and scikit-learn (bench/apps). The others are rows with a release of the same bytes, so that they are prepared
already. Each falls asleep after so many seconds, and the memory for applications does not suffice for all of them: so
most visits wake one, and often another one has to go for it. Prints how long visits took that found the application
asleep, as the records say; how processes were born; what the machine's memory was used for, looked at all the time.
"""

import argparse
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from stage import Stage, load, percentile, pss_mib, stage

ROOT = Path(__file__).resolve().parent.parent
LOOK_SECONDS = 2.0  # between two looks at the memory
FAILURES_SHOWN = 5
MANIFEST = """
[resources]
memory_mb = {memory}
"""
KINDS: dict[str, tuple[Path, Mapping[str, Any], int]] = {  # folder, inputs, memory that it asks for
    "echo": (ROOT / "tests" / "apps" / "echo", {"message": "hello"}, 64),
    "numbers": (ROOT / "bench" / "apps" / "numbers", {"values": [1.0, 2.0, 4.0, 7.0]}, 128),
    "w1": (ROOT / "bench" / "apps" / "w1", {"pixels": [float(n % 17) for n in range(64)]}, 256),
}


@dataclass
class Visits:
    """What the clients saw."""

    left: int
    took: list[float] = field(default_factory=list)  # milliseconds
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0


@dataclass
class Memory:
    """The largest that was seen, MiB PSS."""

    templates: float = 0.0
    applications: float = 0.0
    awake: int = 0
    looks: int = 0
    templates_evicted: int = 0
    seen: set[int] = field(default_factory=set)  # pids of templates

    def look(self, on: Stage, runner: psutil.Process) -> None:
        from django.conf import settings

        from ovd_saas.engines.local import Local

        templates = {template.pid for template in Local(settings.RUN).hello().templates}
        children = {child.pid for child in runner.children(recursive=True)}
        self.templates_evicted += len(self.seen - templates)
        self.seen = templates
        self.templates = max(self.templates, sum(pss_mib(pid) for pid in templates))
        self.applications = max(self.applications, sum(pss_mib(pid) for pid in children - templates))
        self.awake = max(self.awake, len(children - templates))
        self.looks += 1


def copy(count: int, after: float, kinds: Sequence[str] = tuple(KINDS)) -> list[tuple[str, str]]:
    """The applications that were pushed, and rows like them until there are so many: (address, kind)."""
    from django.utils import timezone

    from ovd_saas.store.records import Application, Release

    pushed = {row.name: row for row in Application.objects.filter(name__in=kinds).select_related("release")}
    for row in pushed.values():
        assert row.release is not None
        manifest = row.release.manifest
        Release.objects.filter(pk=row.release_id).update(
            manifest={**manifest, "sleep": {**manifest["sleep"], "after": after}}
        )
    found = [(f"demo/{name}", name) for name in kinds]
    for number in range(len(kinds), count):
        kind = kinds[number % len(kinds)]
        release = Release.objects.get(pk=pushed[kind].release_id)
        application = Application.objects.create(
            organisation=pushed[kind].organisation, name=f"{kind}-{number}", title=f"{kind} {number}",
            status="enabled", since=timezone.now(),
        )  # fmt: skip
        release.pk, release.application = None, application
        release.save(force_insert=True)
        Application.objects.filter(pk=application.pk).update(release=release)
        found.append((f"demo/{application.name}", kind))
    return found


def visit(on: Stage, applications: list[tuple[str, str]], visits: Visits, seed: int) -> None:
    """One client, until all visits are made."""
    dice, door = random.Random(seed), on.door()
    while visits.next():
        address, kind = dice.choice(applications)
        try:
            visits.took.append(1000 * door.execute(address, KINDS[kind][1]))
        except Exception as error:
            visits.failures.append(f"{type(error).__name__}: {error}"[:600])
            door = on.door()


def watch(on: Stage, memory: Memory, is_over: threading.Event) -> None:
    runner = psutil.Process(on.pids["runner"])
    while not is_over.wait(LOOK_SECONDS):
        memory.look(on, runner)


def go(on: Stage, applications: list[tuple[str, str]], options: argparse.Namespace) -> tuple[Visits, Memory, float]:
    visits, memory, is_over = Visits(options.visits), Memory(), threading.Event()
    clients = [
        threading.Thread(target=visit, args=(on, applications, visits, options.seed + n))
        for n in range(options.clients)
    ]
    watcher = threading.Thread(target=watch, args=(on, memory, is_over))
    began = time.monotonic()
    for thread in (*clients, watcher):
        thread.start()
    for thread in clients:
        thread.join()
    took = time.monotonic() - began
    is_over.set()
    watcher.join()
    return visits, memory, took


def woke(kind: str) -> list[float]:
    """Milliseconds from arriving to being finished, of the executions that no ready process waited for."""
    from django.db.models import F

    from ovd_saas.store.records import Execution, Process

    ready = dict(Process.objects.filter(kind="serve").values_list("id", "ready_at"))
    rows = Execution.objects.filter(release__manifest__name=kind, finished_at__isnull=False)
    return [
        1000 * (finished - created).total_seconds()
        for process, created, finished in rows.values_list("process", F("created_at"), F("finished_at"))
        if ready.get(process) is not None and created <= ready[process]
    ]


def report(visits: Visits, memory: Memory, took: float, options: argparse.Namespace) -> None:
    from ovd_saas.store.records import Execution, Process

    made = len(visits.took) + len(visits.failures)
    print(f"{made:,} visits in {took:.0f} s ({made / took:.0f}/s), failed: {len(visits.failures)}")
    for why, count in Counter(visits.failures).most_common(FAILURES_SHOWN):
        print(f"  {count} × {why}")
    states = Counter(Execution.objects.order_by().values_list("status", flat=True))
    print(f"archived: {dict(states)}")
    row = "  {:28}{:8,}{:10.1f}{:10.1f} ms".format
    print(f"{'':30}{'number':>8}{'p50':>10}{'p95':>10}")
    print(row("visits", len(visits.took), statistics.median(visits.took), percentile(visits.took, 0.95)))
    for kind in KINDS:
        if found := woke(kind):
            print(row(f"found it asleep, {kind}", len(found), statistics.median(found), percentile(found, 0.95)))
    born = Process.objects.filter(kind="serve", ready_at__isnull=False)
    for how, count in Counter(born.values_list("how", flat=True)).most_common():
        seconds = [1000 * value for value in born.filter(how=how).values_list("ready_seconds", flat=True) if value]
        if seconds:
            print(row(f"processes born by {how or '?'}", count, statistics.median(seconds), percentile(seconds, 0.95)))
    ends = Counter(Process.objects.filter(state="ended").values_list("end_reason", flat=True))
    print("why processes ended: " + "; ".join(f"{count:,} × {why}" for why, count in ends.most_common(6)))
    print(f"templates gone: {memory.templates_evicted}, {memory.looks} looks")
    print(f"largest memory of templates: {memory.templates:.0f} MiB PSS (budget {options.templates_mb} MB)")
    print(
        f"largest memory of applications: {memory.applications:.0f} MiB PSS, at most {memory.awake} awake "
        f"(admitted {options.memory_mb} MB)"
    )
    print(load())
    assert states["succeeded"] >= options.visits, "an execution is missing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=20_000)
    parser.add_argument("--applications", type=int, default=200)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--after", type=float, default=2.0, help="seconds without use until one falls asleep")
    parser.add_argument("--memory-mb", type=int, default=4096, help="for all applications together")
    parser.add_argument("--templates-mb", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with stage(OVD_MEMORY_MB=str(options.memory_mb), OVD_TEMPLATES_MB=str(options.templates_mb)) as on:
        for folder, _, memory in KINDS.values():
            on.push(folder, manifest=MANIFEST.format(memory=memory))
        applications = copy(options.applications, options.after)
        print(f"{len(applications)} applications; visits begin", flush=True)
        visits, used, took = go(on, applications, options)
        report(visits, used, took, options)
    raise SystemExit(1 if visits.failures or used.templates > options.templates_mb else 0)


if __name__ == "__main__":
    main()
