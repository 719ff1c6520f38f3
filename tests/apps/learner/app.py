"""Learner: the mean of what it was given. A field `act` in the data makes it misbehave, for tests."""

import json
import os
import time
from pathlib import Path

from ovd import App, Context, Evaluation, Samples, number
from ovd.context import Yielded

SLOW = ("slow", "deaf")


class Learner(App):
    mean: float | None = None

    def setup(self, model: Path | None) -> None:
        if model is not None:
            self.mean = json.loads((model / "mean.json").read_text())["mean"]

    def execute(self, context: Context, value: float = number(default=0.0)) -> float:
        return (self.mean or 0.0) - value

    def learn(self, context: Context, data: Samples, parent: Path | None, target: Path) -> dict:
        done = _resume(context)
        total, count = done["total"], done["count"]
        acts = {row.get("act") for row in data}
        slow = max((place for place, row in enumerate(data) if row.get("act") in SLOW), default=-1)
        for place, row in enumerate(data):
            if place < count:
                continue
            total, count = total + row["value"], count + 1
            act = row.get("act") if place == slow or row.get("act") not in SLOW else None  # once in a run
            self._act(context, act, total, count, len(data))
            context.metric("mean", total / count, count)
            context.progress(count / len(data), f"sample {count}")
        print(f"learned {count} samples, resumed at {done['count']}")
        (target / "mean.json").write_text(json.dumps({"mean": total / count}))
        if "broken" in acts:
            (target / "mean.json").write_text("no JSON")
        return {"samples": float(count), "resumed_at": float(done["count"])}

    def _act(self, context: Context, act: str | None, total: float, count: int, size: int) -> None:
        if act == "fail":
            raise ValueError("It cannot learn from this.")
        if act == "die" and not (context.checkpoint / "died").exists():
            (context.checkpoint / "died").write_text("once")
            self._save(context, total, count)
            for _ in range(20):  # the platform fetches what was saved while learning goes on
                time.sleep(0.05)
                context.progress(count / size, "about to die")
            os._exit(9)
        if act == "quit":
            raise Yielded
        if act == "eat":
            bytearray(4 << 30)
        if act in SLOW:
            for _ in range(200):
                time.sleep(0.05)
                context.progress(count / size, "slowly")
                if act == "slow" and context.should_yield:
                    self._save(context, total, count)

    def _save(self, context: Context, total: float, count: int) -> None:
        (context.checkpoint / "state.json").write_text(json.dumps({"total": total, "count": count}))
        context.save()

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        errors = [abs(row["value"] - (self.mean or 0.0)) for row in data]
        return Evaluation({"mae": sum(errors) / len(errors)}, errors)


def _resume(context: Context) -> dict:
    state = context.checkpoint / "state.json"
    return json.loads(state.read_text()) if state.exists() else {"total": 0.0, "count": 0}
