"""Learning: call an author's `learn` and `evaluate`, and what must be true of what they return; the same on the
platform as on the author's machine."""

import inspect
import json
import math
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ovd import awaiting, tars, trial
from ovd.app import Evaluation, Failed, OutputError
from ovd.context import Context
from ovd.data import Samples
from ovd.fields import FILE_KINDS
from ovd.lines import Lines
from ovd.loading import Loaded
from ovd.rows import Rows
from ovd.samples import head_of
from ovd.schema import FieldError, StoredFile, accept_sample
from ovd.seeds import seed_everything

TRIES = 3  # executions of one sample
TRY_AGAIN = 1.0  # s; a sample that has taken longer is not executed again


def samples_of(schema: Dict[str, Any], given: Sequence[Any], folder: Path) -> Samples:
    """Rows in their JSON form as the samples that the platform would make of them, kept in a file of `folder`.

    A file is named by its path. Raises Failed naming the first row that the intake would refuse."""
    names = [name for name, prop in schema["properties"].items() if prop["x-ovd"]["kind"] in FILE_KINDS]
    files: Dict[str, Path] = {}
    target = folder / "samples.jsonl"
    with target.open("w", encoding="utf-8") as opened:
        for number, row in enumerate(given, start=1):
            stored = _stored(row, names, number, files)
            accepted, errors = accept_sample(schema, row, stored)
            if errors:
                raise Failed(f"Sample {number}: {' '.join(map(_told, errors[:5]))}")
            opened.write(json.dumps(accepted, ensure_ascii=False) + "\n")
    return Samples(Rows(Lines(target), schema, files))


def _stored(row: Any, names: List[str], number: int, files: Dict[str, Path]) -> Dict[str, StoredFile]:
    """The files that a row names, as if they had been sent."""
    found: Dict[str, StoredFile] = {}
    for name in names if isinstance(row, dict) else ():
        path = row.get(name)
        if not isinstance(path, str) or not Path(path).is_file():
            continue
        digest = f"{number}-{name}"
        files[digest] = Path(path).resolve()
        head = head_of(files[digest])
        found[path] = StoredFile(head.name, head.media_type, head.size, digest, head.head)
    return found


def _told(error: FieldError) -> str:
    return f'"{error.field}" {error.message}' if error.field else error.message


def learn(
    loaded: Loaded,
    samples: Samples,
    context: Context,
    *,
    parent: Optional[Path],
    target: Path,
    interruptible: awaiting.Interruptible = lambda interrupt: None,
) -> Dict[str, float]:
    """Call `learn` of the application; afterwards `target` holds the model. Returns its metrics.

    Raises OutputError when it returns no metrics or leaves `target` empty; whatever the author's code raises goes
    through."""
    target.mkdir(parents=True, exist_ok=True)
    seed_everything(context.seed)
    metrics: Any = loaded.app.learn(context, samples, parent, target)
    if inspect.isawaitable(metrics):
        metrics = awaiting.run(metrics, interruptible)
    if not any(target.iterdir()):
        raise OutputError("learn left the folder `target` empty. Write the model into it.")
    return checked_metrics(metrics, "learn")


def evaluate(
    loaded: Loaded,
    samples: Samples,
    context: Context,
    *,
    interruptible: awaiting.Interruptible = lambda interrupt: None,
) -> Evaluation:
    """Call `evaluate` of the application, which was set up with the model. Raises OutputError when what it returns is
    not an Evaluation with finite numbers."""
    seed_everything(context.seed)
    found: Any = loaded.app.evaluate(context, samples)
    if inspect.isawaitable(found):
        found = awaiting.run(found, interruptible)
    if not isinstance(found, Evaluation):
        raise OutputError(f"evaluate returned {type(found).__name__}; it must return an Evaluation.")
    metrics = checked_metrics(found.metrics, "evaluate")
    scores: Optional[List[float]] = None
    if found.scores is not None:
        scores = [_finite(score, f"score {place}", "evaluate") for place, score in enumerate(found.scores, start=1)]
    return Evaluation(metrics, scores)


def packed(folder: Path, target: Path, name: str) -> int:
    """Write `folder` as a tar and return its size. Raises OutputError when it holds what cannot be kept."""
    try:
        return tars.pack(folder, target)
    except tars.Unfit as unfit:
        raise OutputError(f"The folder {name} cannot be kept: {unfit}") from None
    except OSError as error:
        target.unlink(missing_ok=True)
        raise Failed(f"The folder {name} cannot be kept: {error.strerror or error}. Is disk_mb too small?") from None


class GoldenRun(NamedTuple):
    """How the execution of a sample of the release went with a model."""

    name: str
    status: str  # passed: it gave outputs; failed
    message: str
    seconds: float


def golden_runs(loaded: Loaded, model: Optional[Path], is_enough: Callable[[], bool]) -> List[GoldenRun]:
    """Execute every sample with the model that the application was set up with. What a sample expects is not looked
    at: it was written for the application without a model. Quick ones run again, because the first is often slow."""
    from statistics import median

    runs: List[GoldenRun] = []
    for sample in loaded.samples:
        seconds: List[float] = []
        while not is_enough() and len(seconds) < TRIES and sum(seconds) < TRY_AGAIN:
            timeout = loaded.manifest.execute.timeout
            outcome = trial.execute(loaded, sample.accepted, sample.files, model=model, timeout=timeout)
            seconds.append(outcome.seconds)
            if not outcome.succeeded:
                break
        if seconds:
            status = "passed" if outcome.succeeded else "failed"
            runs.append(GoldenRun(sample.name, status, outcome.message, median(seconds)))
    return runs


def usual_seconds(runs: Sequence[GoldenRun]) -> Optional[float]:
    """The median of the executions that gave outputs; None when there is none."""
    from statistics import median

    seconds = [run.seconds for run in runs if run.status == "passed"]
    return median(seconds) if seconds else None


def checked_metrics(metrics: Any, method: str) -> Dict[str, float]:
    """Metrics as plain finite numbers by name. Raises Failed."""
    if not isinstance(metrics, dict):
        raise OutputError(f"{method} returned {type(metrics).__name__}; it must return metrics by name.")
    return {str(name): _finite(value, f'metric "{name}"', method) for name, value in metrics.items()}


def finite_metric(name: str, value: float) -> float:
    """The value of a metric that was told while learning. Raises OutputError when it is NaN or infinite."""
    return _finite(value, f'metric "{name}"', "context.metric")


def _finite(value: Any, what: str, method: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise OutputError(f"{method}: the {what} is {type(value).__name__}; it must be a number.") from None
    if not math.isfinite(number):
        raise OutputError(f"{method}: the {what} is {number}; it must be a finite number.")
    return number
