"""Slow: works for some seconds in small steps, with progress and log lines, and stops when it is
cancelled."""

import time

from ovd import App, Context, Outputs, integer, number


class Worked(Outputs):
    steps: int = integer(label="Steps done")
    seed: int = integer(label="The seed it was given")


class Slow(App):
    def execute(
        self,
        context: Context,
        seconds: float = number(default=1.0, minimum=0, maximum=600, unit="s", label="How long"),
        steps: int = integer(default=10, minimum=1, maximum=1000, label="In how many steps"),
    ) -> Worked:
        for step in range(steps):
            if context.is_cancelled:
                break
            time.sleep(seconds / steps)
            print(f"step {step + 1} of {steps}", flush=True)
            context.progress((step + 1) / steps, f"step {step + 1}")
        return Worked(steps=steps, seed=context.seed)
