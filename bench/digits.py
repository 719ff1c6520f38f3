"""Digits by scikit-learn, 16 clients: through the whole platform, every execution archived, beside FastAPI with the
same model, which records nothing. In one run, by turns.

    .venv/bin/python bench/digits.py [--seconds 5] [--repeats 5] [--clients 16]

Starts a platform in a temporary folder (runner, template, walls) and publishes bench/apps/w1. FastAPI stands there
twice: with `def`, as its documentation has it for code that computes, and with `async def`, which spares it a thread.
Makes the peer's environment once (needs a package index, and Debian's `wrk`). Prints medians and ratios.
"""

import argparse
import os
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peers
from stage import load as machine_load
from stage import stage

from gateway import load

ROOT = Path(__file__).resolve().parent.parent
W1 = ROOT / "bench" / "apps" / "w1"
FASTAPI = ("fastapi==0.121.0", *peers.SERVER)
PIXELS = [float(n % 17) for n in range(64)]
INPUTS = {"pixels": PIXELS}
PATH = "/api/v1/applications/demo/w1/executions"

SERVER = """
import sys
import joblib, numpy as np, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

class Asked(BaseModel):
    pixels: list[float]

model = joblib.load(sys.argv[2])
app = FastAPI()

@app.post("/predict")
DEF predict(asked: Asked) -> dict[str, int]:
    return {"result": int(model.predict(np.asarray(asked.pixels).reshape(1, 64))[0])}

uvicorn.run(app, fd=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
"""


def interpreter() -> Path:
    """The peer's, with the same scikit-learn as the application has."""
    names = [line.split()[0] for line in (W1 / "requirements.lock").read_text().splitlines() if line[:1].isalpha()]
    numbered = [name for name in names if not name.startswith(("numpy==", "scipy=="))]
    return peers.python("fastapi", *numbered, "numpy<3", "scipy<2", *FASTAPI)


@contextmanager
def peer(form: str) -> Iterator[str]:
    """Address of FastAPI on uvicorn, one worker, ready."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/predict"
    program = SERVER.replace("DEF", form)
    command = [str(interpreter()), "-c", program, str(listening.fileno()), str(W1 / "model.joblib")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, pass_fds=[listening.fileno()], env=environment)
    try:
        ask(url, b'{"pixels": [' + b"0," * 63 + b"0]}", {})
        yield url
    finally:
        process.terminate()
        process.wait(10)
        listening.close()


def ask(url: str, body: bytes, headers: dict[str, str]) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert answer.status in (200, 201), answer.status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    interpreter()
    with stage() as platform, peer("def") as theirs, peer("async def") as spared:
        from ovd_saas.store.records import Execution

        platform.push(W1)
        ours = platform.url + PATH
        door = platform.door()
        for _ in range(20):
            door.execute("demo/w1", INPUTS)  # awake, and known as quick
        before = Execution.objects.count()
        found: dict[str, list[dict[str, float]]] = {"OVD-SaaS": [], "FastAPI, def": [], "FastAPI, async def": []}
        for _ in range(options.repeats):
            found["OVD-SaaS"].append(load(ours, platform.token, options.clients, options.seconds, {"inputs": INPUTS}))
            found["FastAPI, def"].append(load(theirs, "", options.clients, options.seconds, INPUTS))
            found["FastAPI, async def"].append(load(spared, "", options.clients, options.seconds, INPUTS))
        while Execution.objects.filter(status__in=("queued", "running")).exists():
            time.sleep(0.1)
        rows = Execution.objects.count() - before
        wrong = Execution.objects.exclude(status="succeeded").count()
        busy = machine_load()
    rates = {}
    print(f"{'':20}{'p50 ms':>9}{'p99 ms':>9}{'per s':>9}{'refused':>9}   {options.clients} clients; {busy}")
    for name, runs in found.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        rates[name] = median["rate"]
        print(f"{name:20}{median['p50']:>9.2f}{median['p99']:>9.2f}{median['rate']:>9.0f}"
              f"{sum(run['refused'] for run in runs):>9.0f}")  # fmt: skip
    answered = sum(int(run["count"]) for run in found["OVD-SaaS"])
    ratios = (f"{rates['OVD-SaaS'] / rate:.2f} × {name}" for name, rate in rates.items() if name != "OVD-SaaS")
    print(f"{'; '.join(ratios)}. Answered {answered}, archived {rows}, wrong {wrong}")


if __name__ == "__main__":
    main()
