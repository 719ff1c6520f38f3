"""What an idle platform costs: memory (PSS) of our processes without PostgreSQL, and AppCore's share of a core.

    .venv/bin/python bench/idle.py [--sleeping 1000] [--seconds 20]

Starts a platform of its own in a temporary folder, without and then with so many sleeping applications.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = ("up", "web", "appcore", "runner")
TARGET_MIB = 250
TARGET_PERCENT = 2.0


def pss_mib(pid: int) -> float:
    """Proportional set size: shared pages count once, divided among those who share them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_a_core(pid: int, seconds: float) -> float:
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - before) / (time.monotonic() - began)


def add_sleeping(home: Path, count: int) -> None:
    """Enabled applications with a ready release, all asleep."""
    code = f"""
import django; django.setup()
from django.utils import timezone
from ovd_saas.store.records import Application, Organisation, Release
org = Organisation.objects.get(slug="demo")
apps = Application.objects.bulk_create([Application(
    organisation=org, name=f"sleeper-{{n}}", title="Sleeper", status="enabled", since=timezone.now(),
    reason="Its last process has ended.", next_what="Wakes when somebody uses it.") for n in range({count})])
releases = Release.objects.bulk_create([Release(
    application=app, number=1, state="ready", digest=f"sha256:{{app.pk:064x}}") for app in apps])
for app, release in zip(apps, releases):
    app.release = release
Application.objects.bulk_update(apps, ["release"], batch_size=500)
"""
    environment = {**os.environ, "OVD_HOME": str(home), "DJANGO_SETTINGS_MODULE": "ovd_saas.wiring.settings"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sleeping", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    chosen = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="ovd-bench-"))
    environment = {**os.environ, "OVD_HOME": str(home), "OVD_PORT": "0"}
    platform = subprocess.Popen(
        [sys.executable, "-m", "ovd.cli", "up", "--no-examples"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (home / "up.json").exists():
            assert platform.poll() is None and time.monotonic() < deadline, "the platform did not start"
            time.sleep(0.1)
        pids = json.loads((home / "up.json").read_text())["pids"]
        time.sleep(5)
        used = {part: pss_mib(pids[part]) for part in PARTS}
        print("memory, MiB PSS:", ", ".join(f"{part} {mib:.0f}" for part, mib in used.items()))
        print(f"together {sum(used.values()):.0f} (target ≤ {TARGET_MIB})")
        print(f"AppCore, nothing there: {share_of_a_core(pids['appcore'], chosen.seconds):.2f} % of one core")
        add_sleeping(home, chosen.sleeping)
        time.sleep(2)
        share = share_of_a_core(pids["appcore"], chosen.seconds)
        print(f"AppCore, {chosen.sleeping} asleep: {share:.2f} % of one core (target < {TARGET_PERCENT:g} %)")
    finally:
        platform.send_signal(signal.SIGINT)
        platform.wait(20)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
