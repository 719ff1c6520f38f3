"""App: what an author subclasses, and what its methods return or raise."""

import dataclasses
from pathlib import Path
from typing import Any, Dict, List, Optional

from ovd.data import Samples
from ovd.nearest import did_you_mean


class Rejected(Exception):
    """Raised by `execute` to decline an input politely; people read the message. It is not counted as a
    failure."""


class Failed(Exception):
    """An execution failed and the message says all; no traceback helps anybody."""


class OutputError(Failed):
    """An output does not match its declaration; the message names it and says what is wrong."""


class Outputs:
    """Base of a class that declares the outputs of an application, one annotation (and field) for each.

    An instance may hold only some of them, when `execute` yields them bit by bit.
    """

    def __init__(self, **values: Any) -> None:
        declared = type(self).declared()
        for name, value in values.items():
            if name not in declared:
                raise OutputError(
                    f'Output "{name}" is not declared by {type(self).__name__}.{did_you_mean(name, declared)}'
                )
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        declared = type(self).declared()
        if name not in declared:
            raise OutputError(
                f'Output "{name}" is not declared by {type(self).__name__}.{did_you_mean(name, declared)}'
            )
        object.__setattr__(self, name, value)

    @classmethod
    def declared(cls) -> List[str]:
        """The names of the outputs, in the order of their declaration."""
        names: Optional[List[str]] = cls.__dict__.get("_declared")
        if names is None:
            names = []
            for base in reversed(cls.__mro__):
                annotations = base.__dict__.get("__annotations__")
                if annotations is None:  # from Python 3.14 on, annotations are made when asked for
                    annotations = getattr(base, "__annotations__", {}) if issubclass(base, Outputs) else {}
                names.extend(name for name in annotations if name not in names and not name.startswith("_"))
            cls._declared = names  # type: ignore[attr-defined]
        return names

    def given(self) -> Dict[str, Any]:
        """The outputs that were set, by name."""
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"{type(self).__name__}({inside})"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How good a model is: `metrics` by name and, where each sample has its own, one score per sample in
    order."""

    metrics: Dict[str, float]
    scores: Optional[List[float]] = None


class App:
    """Base of an application. `execute` must be written; its signature is the schema of inputs and outputs.

    `execute` may be async, a generator of partial outputs, or both.
    """

    execute: Any  # def execute(self, context: Context, …inputs…) -> Outputs class or one value

    def setup(self, model: Optional[Path]) -> None:
        """Called once per process, before anything else; `model` is the folder of the live model version, or
        None."""

    def learn(self, context: Any, data: Samples, parent: Optional[Path], target: Path) -> Dict[str, float]:
        """Fill the folder `target` with a model learned from `data`; return metrics. Overriding it makes an
        application one that learns."""
        raise TypeError(f"{type(self).__name__} does not learn: it has no method `learn`.")

    def evaluate(self, context: Any, data: Samples) -> Evaluation:
        """Judge the model that `setup` was given, on `data`."""
        raise TypeError(f"{type(self).__name__} cannot be evaluated: it has no method `evaluate`.")
