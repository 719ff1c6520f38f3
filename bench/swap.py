"""A model version takes over under full load: latency before and while it does, and that no request fails.

    .venv/bin/python bench/swap.py [--requests 10000] [--swaps 6] [--clients 16] [--concurrency 1]

Starts a whole platform in a temporary folder, wakes tests/apps/reader, and has it promoted and rolled back in turns
while clients execute without a pause. `while it swaps` is from the promotion until one second after the new version is
live: its process starts, the gateway changes over, the old process goes. Prints medians over the swaps.
"""

import argparse
import asyncio
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
READER = ROOT / "tests" / "apps" / "reader"
PATH = "/api/v1/applications/demo/reader/executions"
TARGET = 3.0
STEADY_SECONDS = 2.0  # of undisturbed load before each swap
AFTER_SECONDS = 1.0


@dataclass
class Load:
    """Clients that execute all the time; what each request took, in seconds, and what it was answered."""

    began: list[float] = field(default_factory=list)  # time.monotonic()
    took: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    models: list[int | None] = field(default_factory=list)
    is_over: bool = False

    async def client(self, host: str, port: int, token: str) -> None:
        body = json.dumps({"inputs": {}}).encode()
        request = (
            f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        reader, writer = await asyncio.open_connection(host, port)
        while not self.is_over:
            began = time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            self.took.append(time.monotonic() - began)
            self.began.append(began)
            self.statuses.append(int(head[9:12]))
            said = json.loads(answer)
            self.models.append(said.get("model") if said.get("status") == "succeeded" else -1)
        writer.close()

    def between(self, start: float, end: float) -> list[float]:
        """Milliseconds of what was under way then, sorted."""
        found = [
            took for began, took in zip(self.began, self.took, strict=True) if began + took >= start and began <= end
        ]
        return sorted(1000 * took for took in found)


def percentile(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


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


def push(home: Path, concurrency: int) -> None:
    folder = home / "reader"
    shutil.copytree(READER, folder)
    manifest = (folder / "ovd.toml").read_text()
    (folder / "ovd.toml").write_text(manifest.replace("concurrency = 4", f"concurrency = {concurrency}"))
    command = [sys.executable, "-m", "ovd.cli", "push", str(folder), "--org", "demo", "--no-check"]
    subprocess.run(command, env={**os.environ, "OVD_HOME": str(home)}, check=True, stdout=subprocess.DEVNULL)


def add_models() -> int:
    """Two versions that were live before; the id of their application."""
    from django.utils import timezone

    from ovd_saas.appcore import models
    from ovd_saas.files import store
    from ovd_saas.store.records import Application, ModelVersion

    application = Application.objects.select_related("release").get(name="reader")
    assert application.release is not None
    for number in (1, 2):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            text = f"version {number}".encode()
            info = tarfile.TarInfo("says")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        model = ModelVersion.objects.create(
            application=application, number=number, digest=store.put(buffer.getvalue()), size=len(buffer.getvalue()),
            parent_id=application.model_id, release=application.release, created_at=timezone.now(),
        )  # fmt: skip
        models.promote(application=application, model=model, by="bench", reason="", now=timezone.now())
        application.refresh_from_db()
    return application.pk


def roll(application_id: int) -> int:
    """Have the other version become live; its number."""
    from django.db import connection
    from django.utils import timezone

    from ovd_saas.appcore import models
    from ovd_saas.store.records import Application

    application = Application.objects.select_related("model").get(pk=application_id)
    assert application.model is not None
    other = 3 - application.model.number
    models.rollback(application=application, to=other, by="bench", reason="", now=timezone.now())
    while Application.objects.values_list("model__number", flat=True).get(pk=application_id) != other:
        time.sleep(0.01)
    connection.close()
    return other


def alone() -> None:
    """Returns when the process before has ended."""
    from django.db import connection

    from ovd_saas.store.records import Process

    while Process.objects.exclude(state="ended").count() > 1:
        time.sleep(0.1)
    connection.close()


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.02)


async def measure(up: dict[str, str], options: argparse.Namespace) -> None:
    address = urlsplit(up["url"])
    load = Load()
    application_id = await asyncio.to_thread(add_models)
    clients = [
        asyncio.create_task(load.client(address.hostname or "", address.port or 0, up["token"]))
        for _ in range(options.clients)
    ]
    await until(lambda: len(load.took) > 500)
    rows: list[tuple[list[float], list[float], float]] = []
    stale = 0
    first = len(load.took)
    while len(rows) < options.swaps or len(load.took) - first < options.requests:
        await asyncio.to_thread(alone)
        began = time.monotonic()
        await asyncio.sleep(STEADY_SECONDS)
        asked = time.monotonic()
        number = await asyncio.to_thread(roll, application_id)
        live = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        rows.append((load.between(began, asked), load.between(asked, live + AFTER_SECONDS), live - asked))
        here = len(load.models)
        await until(lambda: len(load.models) > here + 100)  # noqa: B023 - called at once
        stale += sum(model != number for model in load.models[here + options.clients :])
    load.is_over = True
    await asyncio.gather(*clients)
    report(load, rows, stale)


def report(load: Load, rows: list[tuple[list[float], list[float], float]], stale: int) -> None:
    print(f"{'':18}{'p50 ms':>9}{'p99 ms':>9}{'most':>9}")
    found: dict[str, list[float]] = {}
    for place, name in ((0, "before"), (1, "while it swaps")):
        figures = [[percentile(row[place], share) for row in rows] for share in (0.5, 0.99, 1.0)]  # type: ignore[arg-type]
        found[name] = [statistics.median(values) for values in figures]
        print(f"{name:18}" + "".join(f"{value:9.2f}" for value in found[name]))
    ratio = found["while it swaps"][1] / found["before"][1]
    print(f"p99 while it swaps is {ratio:.1f} times the p99 before (target ≤ {TARGET:g})")
    print(f"from the promotion to live: {1000 * statistics.median(row[2] for row in rows):.0f} ms")
    failed = sum(status != 201 for status in load.statuses) + sum(model == -1 for model in load.models)
    print(f"{len(load.took)} requests, {len(rows)} swaps, {failed} failed, {stale} of an old version a second later")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--swaps", type=int, default=6)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--concurrency", type=int, default=1, help="what reader's manifest declares")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="ovd-bench-"))
    platform, up = start(home)
    try:
        push(home, options.concurrency)
        import django

        django.setup()
        asyncio.run(measure(up, options))
    finally:
        platform.send_signal(signal.SIGINT)
        platform.wait(30)
        subprocess.run(["rm", "-rf", str(home)], check=False)


if __name__ == "__main__":
    main()
