"""A platform of its own with a life to look at: examples, executions of every outcome, data, learning, a fault.

For pictures of its pages (tools/screenshots.py). `platform(folder)` starts it and ends it; `play(client, folder)` lets
it live: what cannot be had on this machine, such as packages from an index, is said and left out.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ovd.cli import new
from ovd.client import Client, OvdError

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN_SECONDS = 180.0
BUILD_WITHIN_SECONDS = 240.0
ORG = "demo"


@contextmanager
def platform(folder: Path) -> Iterator[dict[str, Any]]:
    """What `up.json` says of a platform in this folder; it is ended when the block is."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OVD_HOME": str(folder), "OVD_PORT": "0"}
    command = [sys.executable, "-m", "ovd.cli", "up"]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        told = folder / "up.json"
        until(lambda: told.exists() or process.poll() is not None, START_WITHIN_SECONDS, "the platform starts")
        if not told.exists():
            raise SystemExit(f"The platform did not start; {folder / 'up.log'} says why.")
        yield json.loads(told.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def until(is_so: Callable[[], Any], seconds: float, what: str) -> bool:
    """Whether it came to be so in time; said when it did not."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            print(f"  not within {seconds:g} s: {what}", flush=True)
            return False
        time.sleep(0.3)
    return True


def play(client: Client, folder: Path) -> None:
    """Each act by itself: one that fails leaves the others."""
    for act in (_crasher, _learner, _fault, _building, _suspended):
        try:
            act(client, folder)
        except (OvdError, OSError) as error:
            print(f"  {act.__name__.strip('_')}: {error}", flush=True)


def _push(client: Client, folder: Path, name: str) -> bool:
    release = client.push(folder, ORG, name=name)
    state = "building"

    def is_built() -> bool:
        nonlocal state
        state = client.release(f"{ORG}/{name}", release.number).status
        return state != "building"

    until(is_built, BUILD_WITHIN_SECONDS, f"{name} is built")
    return state == "ready"


def _crasher(client: Client, folder: Path) -> None:
    """Executions that fail, are declined and are cancelled."""
    if not _push(client, ROOT / "tests/apps/crasher", "crasher"):
        return
    for way in ("none", "raise", "reject", "die", "type"):
        client.execute(f"{ORG}/crasher", {"way": way}, wait=60)
    client.cancel(client.execute(f"{ORG}/crasher", {"way": "hang"}, wait=2).id)


def _learner(client: Client, folder: Path) -> None:
    """One that has learned, has a version live and another that waits for approval."""
    made = _starter(folder, "calibration", "learning", {})
    if not _push(client, made, "calibration"):
        return
    address = f"{ORG}/calibration"
    lines = (made / "data.jsonl").read_text().splitlines()
    client.feed(address, "\n".join(lines[:120]).encode())
    until(lambda: client.application(address).get("model"), 120, "the first version is live")
    _starter(folder, "calibration", "learning", {'approve = "auto"': 'approve = "manual"', "# [drift]": "[drift]"})
    _push(client, made, "calibration")
    client.feed(address, "\n".join(lines[120:]).encode())
    until(lambda: client.learning_runs(address)[0].status not in ("queued", "running"), 120, "the second run ends")
    execution = client.execute(address, {"reading": 12.5}, wait=60)
    if execution.is_success:
        client.feedback(execution.id, 12.1)


def _fault(client: Client, folder: Path) -> None:
    """One that started while it was built and does not start any more."""
    made = _starter(folder, "turbine-wear", "python", {})
    source = (made / "app.py").read_text()
    late = int(time.time()) + 45
    fault = f"\n    def setup(self) -> None:\n        if time.time() > {late}:\n            "
    fault += 'raise OSError("blades.csv is gone")'
    source = source.replace("class Application(App):", f"class Application(App):{fault}\n")
    (made / "app.py").write_text(source.replace("from ovd import", "import time\n\nfrom ovd import", 1))
    if not _push(client, made, "turbine-wear"):
        return
    time.sleep(max(0.0, late + 1 - time.time()))
    inputs = {"measurements": {"times": [], "values": [1, 2, 4]}}
    client.execute(f"{ORG}/turbine-wear", inputs, wait=0)
    until(lambda: client.application(f"{ORG}/turbine-wear")["health"] == "faulty", 90, "turbine-wear is faulty")


def _building(client: Client, folder: Path) -> None:
    """A release that cannot be built."""
    made = _starter(folder, "smoothing", "python", {})
    _push(client, made, "smoothing")
    (made / "app.py").write_text((made / "app.py").read_text().replace("import App,", "import App, Nothing,"))
    _push(client, made, "smoothing")


def _suspended(client: Client, folder: Path) -> None:
    made = _starter(folder, "old-forecast", "command", {})
    if _push(client, made, "old-forecast"):
        client.act(f"{ORG}/old-forecast", "suspend")


def _starter(folder: Path, name: str, kind: str, changes: dict[str, str]) -> Path:
    """The folder of a starter with another name, and some lines of its manifest changed."""
    made = folder / "applications" / name
    for path, content in new.files(new.STARTER / kind):
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        title = name.replace("-", " ").capitalize()
        text = content.replace(b"{{name}}", name.encode()).replace(b"{{title}}", title.encode()).decode()
        for before, after in changes.items() if path == "ovd.toml" else ():
            text = text.replace(before, after)
        target.write_bytes(text.encode())
    return made
