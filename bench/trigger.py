"""From the 201 of the batch that completes a trigger (quiet = 0) to the learning process running `learn`.

    .venv/bin/python bench/trigger.py [--repeats 20] [--wake spawn|fork] [--samples 100]

Starts a whole platform in a temporary folder and pushes an application whose `learn` says when it began, by the clock
of the same machine. Each repetition feeds one batch to the sleeping application and waits until its run is over. Prints
the median and the parts of it, as the rows say: deciding (until the look that made the run due), beginning (the run has
its lease), asking (the runner is about to be asked), starting (its process is ready) and sending (snapshot, samples).
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TARGET_MS = 300.0
PARTS = ("deciding", "beginning", "asking", "starting", "sending")
A = "/api/v1/applications/demo/prompt"

MANIFEST = """
name = "prompt"
title = "Prompt"
summary = "Says when it began to learn."
licence = "Apache-2.0"
authors = [{{ name = "OVD-SaaS" }}]
entry = "app:Prompt"

[sleep]
after = 60
wake = "{wake}"

[learn]
min_samples = {samples}

[learn.sample]
value = "number"

[gate]
metric = "mae"
minimum_improvement = -1.0
"""

APP = """
import time
from pathlib import Path

from ovd import App, Context, Evaluation, Samples, number


class Prompt(App):
    def execute(self, context: Context, value: float = number(default=0.0)) -> float:
        return value

    def learn(self, context: Context, data: Samples, parent: Path | None, target: Path) -> dict:
        began = time.time()
        (target / "model").write_text(str(len(data)))
        return {"began": began}

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        return Evaluation({"mae": 1.0})
"""


def start(home: Path) -> "tuple[subprocess.Popen[bytes], dict[str, str]]":
    environment = {**os.environ, "OVD_HOME": str(home), "OVD_PORT": "0"}
    with (home / "out.log").open("wb") as log:
        command = [sys.executable, "-m", "ovd.cli", "up", "--no-examples"]
        platform = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while not (home / "up.json").exists():
        assert platform.poll() is None and time.monotonic() < deadline, (home / "out.log").read_text()
        time.sleep(0.1)
    os.environ.update(OVD_HOME=str(home), DJANGO_SETTINGS_MODULE="ovd_saas.wiring.settings")
    return platform, json.loads((home / "up.json").read_text())


def push(home: Path, options: argparse.Namespace) -> None:
    folder = home / "prompt"
    folder.mkdir()
    (folder / "ovd.toml").write_text(MANIFEST.format(wake=options.wake, samples=options.samples))
    (folder / "app.py").write_text(APP)
    (folder / "requirements.lock").write_text("")
    command = [sys.executable, "-m", "ovd.cli", "push", str(folder), "--org", "demo", "--no-check"]
    subprocess.run(command, env={**os.environ, "OVD_HOME": str(home)}, check=True, stdout=subprocess.DEVNULL)


class Door:
    """One kept connection, so that what is measured is the platform."""

    def __init__(self, up: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(up["url"]).netloc, timeout=60)
        self.headers = {"Authorization": f"Bearer {up['token']}", "Content-Type": "application/x-ndjson"}

    def feed(self, body: bytes) -> float:
        """When the 201 was here, by time.time()."""
        self.connection.request("POST", f"{A}/intake", body, self.headers)
        answer = self.connection.getresponse()
        said = answer.read()
        here = time.time()
        assert answer.status == 201, said
        return here

    def ask(self, path: str) -> Any:
        self.connection.request("GET", path, headers=self.headers)
        return json.loads(self.connection.getresponse().read())

    def last_run(self) -> Any:
        found = self.ask(f"{A}/learning-runs?limit=1")["items"]
        return found[0] if found else None


def one(door: Door, number: int, samples: int) -> dict[str, float]:
    """Milliseconds from the 201 to each moment."""
    from ovd_saas.store.records import Process

    body = b"".join(b'{"value": %d}\n' % (1000 * number + value) for value in range(samples))
    fed = door.feed(body)
    deadline = time.monotonic() + 60
    while (run := door.last_run()) is None or run["number"] != number or run["finished_at"] is None:
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    assert run["status"] in ("promoted", "rejected") and run["attempts"] == 1, run
    process = Process.objects.get(run=run["id"], kind="learn")
    assert process.ready_at is not None
    moments = {
        "deciding": seconds(run["created_at"]), "beginning": seconds(run["started_at"]),
        "asking": process.started_at.timestamp(), "starting": process.ready_at.timestamp(),
        "sending": run["metrics"]["began"],
    }  # fmt: skip
    while Process.objects.exclude(state="ended").exists():
        assert time.monotonic() < deadline, "a process stays"
        time.sleep(0.05)
    return {name: 1000 * (moment - fed) for name, moment in moments.items()}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def report(rows: list[dict[str, float]]) -> None:
    totals = sorted(row["sending"] for row in rows)
    median = statistics.median(totals)
    worst = totals[min(int(len(totals) * 0.95), len(totals) - 1)]
    print(f"201 → learn: p50 {median:.0f} ms (target ≤ {TARGET_MS:g}), p95 {worst:.0f} ms, {len(rows)} repetitions")
    before = "201"
    for name in PARTS:
        part = statistics.median(row[name] - row.get(before, 0.0) for row in rows)
        print(f"  {name:10}{part:8.1f} ms")
        before = name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--wake", choices=("spawn", "fork"), default="spawn")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="ovd-bench-"))
    platform, up = start(home)
    try:
        push(home, options)
        import django

        django.setup()
        door = Door(up)
        one(door, 1, options.samples)  # the first one also fills caches
        report([one(door, number, options.samples) for number in range(2, options.repeats + 2)])
    finally:
        platform.send_signal(signal.SIGINT)
        platform.wait(30)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
