"""Learning on the author's machine: the samples as an application gets them, and what must be true of what
it returns."""

import math
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ovd import values
from ovd.app import Evaluation, Failed
from ovd.context import Context
from ovd.data import Samples
from ovd.loading import Loaded
from ovd.nearest import did_you_mean
from ovd.seeds import seed_everything

_PLAIN: Dict[str, Callable[[Dict[str, Any], Any], Any]] = {
    "number": values.number,
    "integer": values.integer,
    "boolean": values.boolean,
    "text": values.text,
    "choice": values.text,
    "series": values.series,
    "table": values.table,
}


def samples_of(kinds: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Samples:
    """Rows in their JSON form as samples by the table `[learn.sample]`; a datetime becomes one, with its
    zone.

    Raises Failed naming the first row that breaks the declaration."""
    return Samples([_sample(kinds, row, number) for number, row in enumerate(rows, start=1)])


def _sample(kinds: Mapping[str, str], row: Mapping[str, Any], number: int) -> Dict[str, Any]:
    if not kinds:
        return dict(row)
    for name in row:
        if name not in kinds:
            raise Failed(f'Sample {number}: "{name}" is not a field of [learn.sample].{did_you_mean(name, kinds)}')
    found: Dict[str, Any] = {}
    for name, kind in kinds.items():
        value = row.get(name)
        if value is None:
            found[name] = None
            continue
        try:
            found[name] = _value(kind, value)
        except ValueError as error:
            raise Failed(f'Sample {number}: "{name}" {error}') from None
    return found


def _value(kind: str, value: Any) -> Any:
    if kind == "datetime":
        return values.parse_moment(values.moment(value, "as its time"))
    check = _PLAIN.get(kind)
    return value if check is None else check({"x-ovd": {"kind": kind}}, value)


def learn(
    loaded: Loaded, samples: Samples, *, parent: Optional[Path], target: Path, checkpoint: Optional[Path], seed: int
) -> Dict[str, float]:
    """Call `learn` of the application; afterwards `target` holds the model. Returns its metrics.

    Raises Failed when it returns no metrics or leaves `target` empty; whatever the author's code raises goes through.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ovd-learn-") as scratch:
        context = Context(seed=seed, model=parent, checkpoint=checkpoint, scratch=lambda: Path(scratch))
        seed_everything(seed)
        metrics = loaded.app.learn(context, samples, parent, target)
    if not any(target.iterdir()):
        raise Failed("learn left the folder `target` empty. Write the model into it.")
    return checked_metrics(metrics, "learn")


def evaluate(loaded: Loaded, samples: Samples, *, model: Optional[Path], seed: int) -> Evaluation:
    """Call `evaluate` of the application, which was set up with `model`. Raises Failed when what it returns
    is not an
    Evaluation with finite numbers."""
    with tempfile.TemporaryDirectory(prefix="ovd-evaluate-") as scratch:
        context = Context(seed=seed, model=model, scratch=lambda: Path(scratch))
        seed_everything(seed)
        found = loaded.app.evaluate(context, samples)
    if not isinstance(found, Evaluation):
        raise Failed(f"evaluate returned {type(found).__name__}; it must return an Evaluation.")
    metrics = checked_metrics(found.metrics, "evaluate")
    scores: Optional[List[float]] = None
    if found.scores is not None:
        scores = [_finite(score, f"score {place}", "evaluate") for place, score in enumerate(found.scores, start=1)]
    return Evaluation(metrics, scores)


def checked_metrics(metrics: Any, method: str) -> Dict[str, float]:
    """Metrics as plain finite numbers by name. Raises Failed."""
    if not isinstance(metrics, dict):
        raise Failed(f"{method} returned {type(metrics).__name__}; it must return metrics by name.")
    return {str(name): _finite(value, f'metric "{name}"', method) for name, value in metrics.items()}


def _finite(value: Any, what: str, method: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Failed(f"{method}: the {what} is {type(value).__name__}; it must be a number.") from None
    if not math.isfinite(number):
        raise Failed(f"{method}: the {what} is {number}; it must be a finite number.")
    return number
