"""The warm path: echo through token, validation, process and archive, beside a bare ASGI answer, and one with
one asyncpg insert for each request, in one run.

    .venv/bin/python bench/gateway.py [--seconds 10] [--repeats 3]

Starts everything itself in a temporary data folder: embedded PostgreSQL (fsync on), one web process, the echo
process. Needs `wrk` (Debian: apt install wrk). Prints medians; every row is counted afterwards.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
import psutil

ROOT = Path(__file__).resolve().parent.parent
ECHO = ROOT / "tests" / "apps" / "echo"
_controls: list[socket.socket] = []
MESSAGE = "x" * 960  # with the rest about 1 kB of JSON, as in BASELINES

FLOOR = """
import socket, sys, uvicorn

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        BEGIN
        await send({"type": "lifespan.startup.complete"})
        await receive(); await send({"type": "lifespan.shutdown.complete"}); return
    body = (await receive())["body"]
    EACH
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

config = uvicorn.Config(application, loop="uvloop", http="httptools", access_log=False, log_config=None)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
BEGIN = """
        import asyncpg
        global pool
        pool = await asyncpg.create_pool(sys.argv[2], min_size=16, max_size=16)
        await pool.execute("CREATE TABLE IF NOT EXISTS floor (id bigserial PRIMARY KEY, body jsonb, at timestamptz)")
""".strip()
EACH = 'await pool.execute("INSERT INTO floor (body, at) VALUES ($1, now())", body.decode())'


@contextmanager
def platform(concurrency: int) -> Iterator[tuple[str, str, list[subprocess.Popen[bytes]], int]]:
    """Address, token, the processes (echo, web) and PostgreSQL's of a platform on which echo is awake."""
    home = Path(tempfile.mkdtemp(prefix="ovd-bench-"))
    os.environ.update(OVD_HOME=str(home), DJANGO_SETTINGS_MODULE="ovd_saas.wiring.settings")
    import django
    from django.conf import settings

    from ovd_saas.wiring.postgres import Postgres

    postgres = Postgres(home / "postgresql" / "data", settings.RUN)
    postgres.start()
    started: list[subprocess.Popen[bytes]] = []
    try:
        django.setup()
        token = _rows(concurrency, settings.RUN, started)
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        web = [sys.executable, "-m", "ovd_saas.wiring.process", "web", "--fd", str(listening.fileno())]
        started.append(subprocess.Popen(web, pass_fds=[listening.fileno()]))
        listening.close()
        _until_warm(url, token)
        assert postgres.process is not None
        yield url, token, started, postgres.process.pid
    finally:
        for control in _controls:
            control.close()  # the echo process ends with its runner, which we play
        for process in reversed(started):
            process.terminate()
            process.wait(20)
        postgres.stop()
        subprocess.run(["rm", "-rf", str(home)], check=False)


def _rows(concurrency: int, run: Path, started: list[subprocess.Popen[bytes]]) -> str:
    """What `ovd push` and AppCore would have made: an application, its ready release, its ready process."""
    from django.core.management import call_command
    from django.utils import timezone

    from ovd import protocol, schema
    from ovd_saas.appcore import access
    from ovd_saas.store.records import Application, Membership, Organisation, Process, Release, Runner, User

    call_command("migrate", verbosity=0, interactive=False)
    user = User.objects.create(username="bench")
    organisation = Organisation.objects.create(slug="bench", title="Bench")
    Membership.objects.create(organisation=organisation, user=user, role="owner")
    now = timezone.now()
    application = Application.objects.create(organisation=organisation, name="echo", since=now, status="enabled",
                                             service="awake")  # fmt: skip
    release = Release.objects.create(
        application=application, number=1, state="ready", digest="sha256:" + "0" * 64, schema=schema.describe(ECHO),
        manifest={"execute": {"timeout": 60, "concurrency": concurrency, "max_queue": 1000, "max_attempts": 3}},
    )  # fmt: skip
    Application.objects.update(release=release)
    address = run / "echo.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(address))
    listening.listen(16)
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "ovd.process", "--folder", str(ECHO), "--listen-fd", str(listening.fileno()),
               "--control-fd", str(theirs.fileno()), "--concurrency", str(concurrency)]  # fmt: skip
    started.append(subprocess.Popen(command, pass_fds=[listening.fileno(), theirs.fileno()]))
    theirs.close()
    listening.close()
    said = protocol.receive(ours)
    assert said is not None and said[0]["type"] == "ready", said
    _controls.append(ours)
    runner = Runner.objects.create(name=socket.gethostname(), is_up=True)
    Process.objects.create(id=uuid.uuid4(), application=application, release=release, runner=runner, state="ready",
                           concurrency=concurrency, address=str(address), started_at=now, ready_at=now)  # fmt: skip
    return access.issue(user, "bench")[1]


def _until_warm(url: str, token: str) -> None:
    body = json.dumps({"inputs": {"message": MESSAGE}}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            request = urllib.request.Request(f"{url}{PATH}", body, headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                if answer.status == 201:
                    return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("The platform did not get warm.")


PATH = "/api/v1/applications/bench/echo/executions"


@contextmanager
def floor(database: str = "") -> Iterator[str]:
    """Address of a bare ASGI application that gives the body back; with a database, after it has inserted it."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    python = peers.python("asyncpg", "asyncpg==0.31.0", *peers.SERVER) if database else sys.executable
    begin, each = (BEGIN, EACH) if database else ("pass", "pass")
    program = FLOOR.replace("BEGIN", begin).replace("EACH", each)
    command = [str(python), "-c", program, str(listening.fileno()), database]
    process = subprocess.Popen(command, pass_fds=[listening.fileno()])
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        process.terminate()
        process.wait(10)
        listening.close()


def database() -> str:
    from django.conf import settings

    return f"postgresql://ovd@/ovd?host={settings.RUN}"


def cpu_seconds(started: list[subprocess.Popen[bytes]], postgres_pid: int) -> dict[str, float]:
    """CPU time so far of the application's process, of web, and of PostgreSQL with its backends."""
    process, web = (psutil.Process(one.pid) for one in started)
    database = psutil.Process(postgres_pid)
    return {
        "process": _cpu(process),
        "web": _cpu(web),
        "postgresql": _cpu(database) + sum(_cpu(child) for child in database.children(recursive=True)),
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def load(
    url: str, token: str, clients: int, seconds: float, asked: Mapping[str, Any] | None = None
) -> dict[str, float]:
    """wrk against one address: p50 and p99 in ms, requests a second, how many, and how many were not 2xx."""
    script = Path(tempfile.mkstemp(suffix=".lua")[1])
    body = json.dumps(asked or {"inputs": {"message": MESSAGE}})
    script.write_text(
        textwrap.dedent(f"""
        wrk.method = "POST"
        wrk.body = '{body}'
        wrk.headers["Content-Type"] = "application/json"
        wrk.headers["Authorization"] = "Bearer {token}"
    """)
    )
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--latency", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    script.unlink()
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return {
        "p50": _milliseconds(said, "50%"),
        "p99": _milliseconds(said, "99%"),
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),  # type: ignore[index]
        "count": int(re.search(r"(\d+) requests in", said)[1]),  # type: ignore[index]
        "refused": int(other[1]) if other else 0,
    }


def _milliseconds(said: str, percentile: str) -> float:
    number, unit = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=1, help="what echo's manifest would declare")
    options = parser.parse_args()
    with platform(options.concurrency) as (url, token, started, postgres), floor() as bare, floor(database()) as row:
        from ovd_saas.store.records import Execution

        load(url + PATH, token, 16, 2)
        load(bare, token, 16, 1)
        load(row, token, 16, 1)
        before = Execution.objects.count()
        found: dict[tuple[str, int], list[dict[str, float]]] = {}
        used = cpu_seconds(started, postgres)
        for _ in range(options.repeats):
            for clients in (1, 16):
                found.setdefault(("bare ASGI", clients), []).append(load(bare, token, clients, options.seconds / 2))
                found.setdefault(("and a row", clients), []).append(load(row, token, clients, options.seconds / 2))
                ours = load(url + PATH, token, clients, options.seconds)
                found.setdefault(("full path", clients), []).append(ours)
        while Execution.objects.filter(status__in=("queued", "running")).exists():
            time.sleep(0.1)  # wrk hangs up in the middle of a request; that one is archived, too
        rows = Execution.objects.count() - before
        used = {name: seconds - used[name] for name, seconds in cpu_seconds(started, postgres).items()}
        wrong = Execution.objects.exclude(status="succeeded").count()
    print(f"{'':12}{'clients':>8}{'p50 ms':>9}{'p99 ms':>9}{'per s':>9}{'refused':>9}")
    for (what, clients), runs in found.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"{what:12}{clients:>8}{median['p50']:>9.2f}{median['p99']:>9.2f}{median['rate']:>9.0f}"
              f"{sum(run['refused'] for run in runs):>9.0f}")  # fmt: skip
    answered = sum(int(run["count"]) for (what, _), runs in found.items() if what == "full path" for run in runs)
    for name, seconds in used.items():
        print(f"CPU of {name}: {1000 * seconds / rows:.3f} ms an execution")
    print(f"answered {answered}, rows archived meanwhile {rows}, not succeeded {wrong}")


if __name__ == "__main__":
    main()
