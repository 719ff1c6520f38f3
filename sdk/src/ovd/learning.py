"""Learning on the author's machine: the samples as an application gets them, and what must be true of what
it returns."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from ovd.app import Evaluation, Failed
from ovd.context import Context
from ovd.data import Samples
from ovd.fields import FILE_KINDS
from ovd.lines import Lines
from ovd.loading import Loaded
from ovd.rows import Rows
from ovd.samples import head_of
from ovd.schema import FieldError, StoredFile, accept_sample
from ovd.seeds import seed_everything


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
