"""Learns: keeps two threads busy until it is told to stop; they need no lock of the interpreter, as in NumPy."""

import hashlib
import threading
from pathlib import Path

from ovd import App, Context, Evaluation, Samples

THREADS = 2


class Learns(App):
    def execute(self, context: Context) -> str:
        return ""

    def learn(self, context: Context, data: Samples, parent: Path | None, target: Path) -> dict:
        threads = [threading.Thread(target=_compute, args=(context,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (target / "nothing").write_text("")
        return {}

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        return Evaluation({"mae": 0.0}, [0.0 for _ in data])


def _compute(context: Context) -> None:
    block = bytes(1 << 20)
    while not context.should_yield:
        for _ in range(20):
            hashlib.sha256(block)
