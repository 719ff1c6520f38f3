"""Corrects readings by the line through readings whose true value is known. Put your own method in its place."""

import dataclasses
import json
from pathlib import Path
from typing import Optional

from ovd import App, Context, Evaluation, Outputs, Samples, number, text

REPORTED = 20  # samples for each point of the curve


@dataclasses.dataclass
class Line:
    """Least squares: the sums say all about the samples seen so far, so that learning can go on from them."""

    count: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def add(self, x: float, y: float) -> None:
        self.count += 1
        self.x, self.y, self.xx, self.xy = self.x + x, self.y + y, self.xx + x * x, self.xy + x * y

    def at(self, x: float) -> float:
        """The true value for this reading; with fewer than two different readings, the reading itself."""
        spread = self.count * self.xx - self.x * self.x
        if spread <= 0:
            return x
        slope = (self.count * self.xy - self.x * self.y) / spread
        return (self.y - slope * self.x) / self.count + slope * x

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def load(cls, file: Path) -> "Line":
        return cls(**json.loads(file.read_text()))


class Corrected(Outputs):
    """What comes out. Each line is one output: its name, its type, and how pages call it."""

    value: float = number(label="Corrected value")
    note: str = text(label="How it was made")


class Application(App):
    line = Line()

    def setup(self, model: Optional[Path]) -> None:
        """Called once, before anything else. `model` is the folder of the live model; None until there is one."""
        self.line = Line.load(model / "line.json") if model is not None else Line()

    def execute(
        self,
        context: Context,
        reading: float = number(minimum=-1000, maximum=1000, label="Reading"),
    ) -> Corrected:
        """What comes in is this signature: it gives the form, the checks and the API of the application."""
        if not self.line.count:
            return Corrected(value=reading, note="No model has been learned yet: this is the reading itself.")
        return Corrected(value=self.line.at(reading), note=f"By a line through {self.line.count} samples.")

    def learn(self, context: Context, data: Samples, parent: Optional[Path], target: Path) -> dict[str, float]:
        """Fill the folder `target` with a model learned from `data`. `parent` is the model that is live now."""
        half_done = context.checkpoint / "line.json"
        line = Line.load(half_done) if half_done.exists() else Line()  # it goes on where it gave way
        misses: list[float] = []
        for sample in data[line.count :]:
            misses.append(abs(line.at(sample["reading"]) - sample["true_value"]))
            line.add(sample["reading"], sample["true_value"])
            if line.count % REPORTED == 0:
                context.metric("error_before_learning", sum(misses) / len(misses), step=line.count)
                context.progress(line.count / len(data), f"{line.count} of {len(data)} samples")
                misses.clear()
            if context.should_yield:  # somebody needs the application
                line.save(half_done)
                context.save()
        line.save(target / "line.json")
        return {"samples": line.count}

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        """Judge the model that `setup` was given. A score for each sample lets the platform say how sure it is."""
        scores = [abs(self.line.at(sample["reading"]) - sample["true_value"]) for sample in data]
        return Evaluation({"error": sum(scores) / len(scores), "worst": max(scores)}, scores)
