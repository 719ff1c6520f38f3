"""Reader: its model is a file `says`; it answers what stands there. A model that says "broken" does not start."""

import time
from pathlib import Path

from ovd import App, Context, number


class Reader(App):
    says = "nothing"

    def setup(self, model: Path | None) -> None:
        if model is not None:
            self.says = (model / "says").read_text()
        if self.says == "broken":
            raise ValueError("this model is broken")

    def execute(self, context: Context, seconds: float = number(default=0.0, minimum=0, maximum=10)) -> str:
        time.sleep(seconds)
        return self.says
