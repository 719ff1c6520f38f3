"""Crasher: misbehaves in the way it is asked to, to try the walls around it."""

import math
import os
import signal
import sys
import time
from typing import Any

from ovd import App, Context, Outputs, Rejected, choice, number

WAYS = [
    "none",
    "raise",
    "reject",
    "die",
    "kill",
    "exit",
    "memory",
    "hang",
    "spin",
    "nan",
    "undeclared",
    "missing",
    "type",
    "flood",
]


class Value(Outputs):
    value: float = number(label="Value")


def fail_deeply(depth: int) -> None:
    if depth == 0:
        raise ValueError("the author made a mistake")
    fail_deeply(depth - 1)


class Crasher(App):
    def execute(self, context: Context, way: str = choice(WAYS, default="none", label="How")) -> Value:
        answers: dict[str, Any] = {
            "nan": {"value": math.nan},
            "undeclared": {"value": 1.0, "surprise": 2},
            "missing": {},
            "type": {"value": "many"},
        }
        if way == "raise":
            fail_deeply(2)
        if way == "reject":
            raise Rejected("This input is not for me, sorry.")
        if way == "die":
            os._exit(3)
        if way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if way == "exit":
            sys.exit("I leave")
        if way == "memory":
            raise MemoryError("no room for 10 TB")
        if way == "hang":
            time.sleep(3600)
        while way == "spin":
            pass
        if way == "flood":
            for number_of_line in range(20_000):
                print(f"line {number_of_line} {'x' * 100}")
        if way in answers:
            return answers[way]  # type: ignore[no-any-return]
        return Value(value=1.0)
