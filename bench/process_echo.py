"""How long one echo execution takes inside a process: frames over a unix socket, one client, no platform.

Run: python bench/process_echo.py [executions]. Prints p50, p90, p99 in ms, and executions/s of 16 clients.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ovd.protocol import receive, send

ECHO = Path(__file__).resolve().parent.parent / "tests" / "apps" / "echo"
INPUTS = {"message": "x" * 900, "times": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("executions", type=int, nargs="?", default=5000)
    count = parser.parse_args().executions
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/process.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        ours, theirs = socket.socketpair()
        fds = ["--listen-fd", str(listener.fileno()), "--control-fd", str(theirs.fileno())]
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "ovd.process", "--folder", str(ECHO), "--scratch", f"{folder}/scratch", *fds],
            pass_fds=(listener.fileno(), theirs.fileno()),
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        theirs.close()
        frame = receive(ours)
        assert frame is not None and frame[0]["type"] == "ready", frame
        print(f"ready after {(time.perf_counter() - started) * 1000:.0f} ms, of which {frame[0]['seconds']} s")
        measure_one(path, count)
        measure_many(path, count, 16)
        send(ours, {"type": "stop"})
        assert process.wait(10) == 0


def execute(sock: socket.socket, id: str) -> None:
    send(sock, {"type": "execute", "id": id, "inputs": INPUTS, "seed": 1, "timeout": 10})
    while True:
        frame = receive(sock)
        assert frame is not None
        if frame[0]["type"] != "started":
            assert frame[0]["type"] == "result", frame
            return


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def measure_one(path: str, count: int) -> None:
    sock = connect(path)
    times = []
    for number in range(count + 100):
        before = time.perf_counter()
        execute(sock, f"e{number}")
        times.append((time.perf_counter() - before) * 1000)
    cuts = statistics.quantiles(times[100:], n=100)
    print(f"1 client: p50 {cuts[49]:.3f} ms, p90 {cuts[89]:.3f} ms, p99 {cuts[98]:.3f} ms")


def measure_many(path: str, count: int, clients: int) -> None:
    def client(number: int) -> None:
        sock = connect(path)
        for turn in range(count // clients):
            execute(sock, f"{number}-{turn}")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    before = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{clients} clients: {count / (time.perf_counter() - before):.0f} executions/s")


if __name__ == "__main__":
    main()
