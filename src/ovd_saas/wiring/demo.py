"""`ovd demo`: the main job end to end on real data, and what happened. Floor 4.

Asleep → a request wakes it → it executes → the result is archived → it falls asleep again. Then it learns: the real
series is fed to it, two weeks at a time (`demo_life`). Every line that is printed was checked; the command ends with 0
only if all of it truly happened.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn

import httpx

from ovd.cli import credentials
from ovd.client import Client, Execution, OvdError
from ovd_saas.wiring import demo_life, home
from ovd_saas.wiring.up import examples

APPLICATION = "demo/water-flow"
START_WITHIN_SECONDS = 300.0
SLEEP_WITHIN_SECONDS = 90.0
NOTED_WITHIN_SECONDS = 20.0


def run() -> None:
    with _platform() as client:
        _asleep_at_first(client)
        execution = _execute(client)
        _archived(client, execution)
        _asleep_again(client)
        _learns(client)
    _say("\nAll of it happened.")


def _asleep_at_first(client: Client) -> None:
    if _application(client)["service"] != "asleep":
        client.act(APPLICATION, "sleep")
        _until("it is asleep", lambda: _application(client)["service"] == "asleep", SLEEP_WITHIN_SECONDS)
    application = _application(client)
    _say(f"asleep     {APPLICATION} is {application['phase']}. {application['next']['what']}")


def _execute(client: Client) -> Execution:
    sample = _sample(client)
    _say(f"request    {sample['title']} ({sample.get('credit') or 'no credit given'})")
    began = time.monotonic()
    execution = client.execute(APPLICATION, sample["inputs"], wait=60)
    seconds = time.monotonic() - began
    if not execution.is_success:
        _fail(f"the execution {execution.status}: {execution.reason}")
    # the answer does not wait for AppCore to write down that the process is ready
    _until("the timeline shows that it woke", lambda: _woke_in_seconds(client) is not None, NOTED_WITHIN_SECONDS)
    _say(f"woke       in {(_woke_in_seconds(client) or 0) * 1000:.0f} ms; answered after {seconds * 1000:.0f} ms")
    return execution


def _woke_in_seconds(client: Client) -> float | None:
    waking, awake = _last_moment(client, "waking"), _last_moment(client, "awake")
    return (awake - waking).total_seconds() if waking and awake and awake >= waking else None


def _archived(client: Client, execution: Execution) -> None:
    for name, value in execution.outputs.items():
        _say(f"result     {name}: {_brief(value)}")
    kept = client.execution(execution.id)
    if kept.outputs != execution.outputs or kept.document["digests"] != execution.document["digests"]:
        _fail("the archive holds something else than was answered")
    digests = {name: f"{str(digest)[:19]}…" for name, digest in kept.document["digests"].items() if digest}
    _say(f"archived   as {kept.id}, release {kept.document['release']}, seed {kept.document['seed']}")
    for name, digest in digests.items():
        _say(f"           {name:<12} {digest}")


def _asleep_again(client: Client) -> None:
    began = time.monotonic()
    _say(f"waiting    {_application(client)['next']['what']}")
    _until("it is asleep again", lambda: _application(client)["service"] == "asleep", SLEEP_WITHIN_SECONDS)
    _say(f"asleep     after {time.monotonic() - began:.1f} s of quiet: {_application(client)['reason']}")


def _learns(client: Client) -> None:
    folder = examples()
    if folder is None:
        _say("\nthe series is not here: it comes with a checkout of the repository, not with the package")
        return
    _say("")
    try:
        demo_life.play(client, folder / demo_life.NAME, lambda word, line: _say(f"{word:<11}{line}".rstrip()))
    except (demo_life.NotSo, OvdError, ValueError) as error:
        _fail(f"it is not so that {error}" if isinstance(error, demo_life.NotSo) else str(error).rstrip("."))


def _application(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.application(APPLICATION)
    return found


def _sample(client: Client) -> dict[str, Any]:
    release = client.release(APPLICATION, int(_application(client)["release"]))
    samples: list[dict[str, Any]] = release.schema.get("samples", [])
    if not samples:
        _fail(f"{APPLICATION} has no samples")
    return samples[0]


def _last_moment(client: Client, target: str) -> datetime | None:
    """When the service region last got into this state."""
    for item in client.timeline(APPLICATION):
        if item["region"] == "service" and item["to"] == target:
            return datetime.fromisoformat(item["at"])
    return None


def _brief(value: Any) -> str:
    if isinstance(value, dict) and "values" in value:
        known = [number for number in value["values"] if number is not None]
        ends = f"{known[0]:.4g} … {known[-1]:.4g}" if known else "none"
        return f"{len(value['values'])} values, {ends}"
    if isinstance(value, dict) and "rows" in value:
        return f"{len(value['rows'])} rows of {', '.join(map(str, value['columns']))}"
    return str(value)


@contextmanager
def _platform() -> Iterator[Client]:
    """The platform of this data folder: the one that runs, else one that runs as long as the demo."""
    running = _running()
    if running is not None:
        yield running
        return
    _say("starting   the platform")
    environment = {**os.environ, "OVD_PORT": os.environ.get("OVD_PORT", "0")}
    log_path = home.folder() / "demo.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ovd.cli", "up"], stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        _until("the platform is up", lambda: _running() is not None or _ended(process), START_WITHIN_SECONDS)
        client = _running()
        if client is None:
            _fail(f"the platform did not start; see {log_path}")
        yield client
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _running() -> Client | None:
    known = credentials.read(home.folder() / "up.json")
    if known is None:
        return None
    try:
        is_healthy = httpx.get(f"{known.url}/api/v1/health", timeout=5).is_success
        return Client(known.url, known.token) if is_healthy else None
    except httpx.HTTPError:
        return None


def _until(what: str, is_so: Callable[[], bool], within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    while not is_so():
        if time.monotonic() > deadline:
            _fail(f"it did not happen within {within_seconds:g} s that {what}")
        time.sleep(0.1)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _fail(why: str) -> NoReturn:
    raise SystemExit(f"The demo failed: {why}.")
