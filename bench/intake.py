"""The intake: MB/s of JSON Lines with the schema check on, what of it costs how much, and web's memory meanwhile.

    .venv/bin/python bench/intake.py [--mib 1024] [--repeats 3]

Starts everything itself in a temporary data folder: embedded PostgreSQL (fsync on) and one web process. The client is a
process that sends one file over a socket. Prints medians, and the floor of each part alone: the disk, SHA-256, the
check, and uvicorn reading the same body without looking at it.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1 << 20
PATH = "/api/v1/applications/bench/flow/intake"
TARGET_MB = 50

READER = """
import socket, sys, uvicorn
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive(); await send({"type": "lifespan.startup.complete"})
        await receive(); await send({"type": "lifespan.shutdown.complete"}); return
    while (await receive()).get("more_body"): pass
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
config = uvicorn.Config(application, loop="uvloop", http="httptools", access_log=False, log_config=None)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
SENDER = """
import os, socket, sys
host, port, token, path, file = sys.argv[1:]
size = os.stat(file).st_size
head = (f"POST {path} HTTP/1.1\\r\\nHost: {host}\\r\\nAuthorization: Bearer {token}\\r\\n"
        f"Content-Type: application/x-ndjson\\r\\nContent-Length: {size}\\r\\nConnection: close\\r\\n\\r\\n")
with socket.create_connection((host, int(port))) as peer, open(file, "rb") as source:
    peer.sendall(head.encode())
    peer.sendfile(source)
    answer = b""
    while piece := peer.recv(65536):
        answer += piece
sys.stdout.write(answer.split(b"\\r\\n", 1)[0].decode())
"""


@contextmanager
def platform(home: Path) -> Iterator[tuple[int, str, int]]:
    """Port, token, and the process id of a web that takes data for bench/flow."""
    os.environ.update(OVD_HOME=str(home), DJANGO_SETTINGS_MODULE="ovd_saas.wiring.settings")
    import django
    from django.conf import settings

    from ovd_saas.wiring.postgres import Postgres

    postgres = Postgres(home / "postgresql" / "data", settings.RUN)
    postgres.start()
    try:
        django.setup()
        token = _rows()
        with _served([sys.executable, "-m", "ovd_saas.wiring.process", "web", "--fd"]) as (port, pid):
            yield port, token, pid
    finally:
        from django.db import connections

        connections.close_all()
        postgres.stop()


@contextmanager
def _served(command: list[str]) -> Iterator[tuple[int, int]]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = listening.getsockname()[1]
    process = subprocess.Popen([*command, str(listening.fileno())], pass_fds=[listening.fileno()])
    listening.close()
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _rows() -> str:
    from django.core.management import call_command
    from django.utils import timezone

    from ovd.schema import sample_of
    from ovd_saas.appcore import access
    from ovd_saas.store.records import Application, Membership, Organisation, Release, User

    call_command("migrate", verbosity=0, interactive=False)
    user = User.objects.create(username="bench")
    organisation = Organisation.objects.create(slug="bench", title="Bench")
    Membership.objects.create(organisation=organisation, user=user, role="owner")
    application = Application.objects.create(
        organisation=organisation, name="flow", since=timezone.now(), status="enabled"
    )
    release = Release.objects.create(
        application=application, number=1, state="ready", digest="sha256:" + "0" * 64,
        schema={"inputs": {}, "outputs": {}, "sample": sample_of(fields())},
        manifest={"learn": {"label": "label", "same_within": 0}, "gate": {"metric": "mae"}},
    )  # fmt: skip
    Application.objects.update(release=release)
    return access.issue(user, "bench")[1]


def fields() -> list[object]:
    from ovd.fields import Field

    return [
        Field("datetime", name="at"),
        Field("number", name="flow", minimum=0),
        Field("number", name="pressure"),
        Field("text", name="station", maximum_length=40),
        Field("boolean", name="is_raining", optional=True),
    ]


def write_samples(path: Path, mib: int) -> None:
    """About 120 bytes a line, as a meter might send."""
    rows = [
        {
            "at": f"2026-03-{1 + n // 1440 % 28:02}T{n // 60 % 24:02}:{n % 60:02}:00Z",
            "flow": round(7.5 + n % 97 * 0.31, 3),
            "pressure": round(3 + n % 31 * 0.017, 4),
            "station": f"station {n % 40}",
            "is_raining": n % 7 == 0,
        }
        for n in range(8000)
    ]
    block = "".join(json.dumps(row) + "\n" for row in rows).encode()
    with path.open("wb") as file:
        while file.tell() < mib * MIB:
            file.write(block)


def send(port: int, token: str, file: Path) -> float:
    """Seconds until it was answered 201."""
    began = time.monotonic()
    command = [sys.executable, "-S", "-c", SENDER, "127.0.0.1", str(port), token, PATH, str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert " 201 " in said, said
    return time.monotonic() - began


def memory(pid: int) -> tuple[float, float]:
    """MiB, PSS and RSS."""
    found = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(found["Pss"].split()[0]) / 1024, int(found["Rss"].split()[0]) / 1024


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """The most memory that a process had."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.most = (0.0, 0.0)
        self.is_over = False

    def run(self) -> None:
        while not self.is_over:
            pss, rss = memory(self._pid)
            self.most = (max(self.most[0], pss), max(self.most[1], rss))
            time.sleep(0.1)


def rate(mib: float, runs: list[float]) -> float:
    """MB (10^6 bytes) a second, median."""
    return mib * MIB / 1e6 / statistics.median(runs)


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def floors(file: Path, mib: int, repeats: int, home: Path) -> dict[str, float]:
    """MB/s of each part alone, on blocks as the intake has them."""
    import hashlib

    from ovd.schema import sample_of
    from ovd_saas.appcore.intake_check import Check
    from ovd_saas.appcore.intake_lines import Lines
    from ovd_saas.gateway.intake import BLOCK

    def blocks() -> Iterator[bytes]:
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                yield block

    def read() -> None:
        for _ in blocks():
            pass

    def hashed() -> None:
        digest = hashlib.sha256()
        for block in blocks():
            digest.update(block)

    def checked() -> None:
        lines = Lines(Check(sample_of(fields())))  # type: ignore[arg-type]
        for block in blocks():
            for _ in lines.feed(block):
                pass

    def written() -> None:
        with (home / "written").open("wb", buffering=0) as target:
            for block in blocks():
                target.write(block)
            os.fsync(target.fileno())
        (home / "written").unlink()

    parts = {"reading the file": read, "SHA-256, once": hashed, "schema check": checked, "disk, with fsync": written}
    return {name: rate(mib, [timed(work) for _ in range(repeats)]) for name, work in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovd-bench-") as folder:
        home = Path(folder)
        file = home / "samples.jsonl"
        write_samples(file, options.mib)
        with platform(home) as (port, token, pid):
            small = home / "small.jsonl"
            write_samples(small, 8)
            send_when_up(port, token, small)
            idle = memory(pid)
            watch = Watch(pid)
            watch.start()
            with _served([sys.executable, "-c", READER]) as (reader, _):
                time.sleep(2)
                bare, full = [], []
                used = cpu_seconds(pid)
                for _ in range(options.repeats):
                    bare.append(send(reader, token, file))
                    full.append(send(port, token, file))
            used = (cpu_seconds(pid) - used) / options.repeats
            watch.is_over = True
            watch.join()
            after = memory(pid)
            parts = floors(file, options.mib, 1, home)
    print(f"{options.mib} MiB of JSON Lines, 5 fields, about 120 bytes a line; medians of {options.repeats}")
    ours = rate(options.mib, full)
    print(f"intake, schema check on:    {ours:7.0f} MB/s   (target >= {TARGET_MB})")
    print(f"web's processor time:       {used / (options.mib * MIB / 1e6) * 1000:7.1f} ms a MB")
    print(f"uvicorn reading it alone:   {rate(options.mib, bare):7.0f} MB/s")
    for name, mb in parts.items():
        print(f"{name + ' alone:':27} {mb:7.0f} MB/s")
    print(f"limited by: {min(parts, key=lambda name: parts[name])}")
    print(f"web's memory, MiB PSS / RSS: before {idle[0]:.0f} / {idle[1]:.0f}, at most {watch.most[0]:.0f} / "
          f"{watch.most[1]:.0f}, after {after[0]:.0f} / {after[1]:.0f}")  # fmt: skip


def send_when_up(port: int, token: str, file: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            send(port, token, file)
            return
        except (subprocess.CalledProcessError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
