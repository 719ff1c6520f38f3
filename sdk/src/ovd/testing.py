"""Testing: check an application's folder, and try it, on the author's machine; `python -m ovd.testing FOLDER
[--json]`.

The platform makes a release ready by the same check, in the release's own environment.
"""

import argparse
import dataclasses
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from ovd import learning, loading, preloads, trial
from ovd.app import Evaluation, Failed
from ovd.context import Context, Yielded
from ovd.loading import ImportFailed, Loaded
from ovd.manifest import ManifestError
from ovd.problems import Problem, ProblemsFound
from ovd.samples import Sample, difference
from ovd.tracebacks import author_line, author_traceback, message_of
from ovd.trial import Outcome

__all__ = ["Failed", "ManifestError", "Outcome", "Problem", "ProblemsFound", "Report", "SampleRun", "Yielded", "check",
           "evaluate", "learn", "run"]  # fmt: skip

Folder = Union[str, Path]
Event = Dict[str, Any]


@dataclasses.dataclass(frozen=True)
class SampleRun:
    """How one sample fared."""

    name: str
    status: str  # passed or failed
    message: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Preload:
    """What is imported before anybody waits."""

    modules: List[str]
    source: str  # where the list comes from: lock or manifest


@dataclasses.dataclass
class Report:
    """What the check of a folder found."""

    problems: List[Problem] = dataclasses.field(default_factory=list)
    samples: List[SampleRun] = dataclasses.field(default_factory=list)
    schema: Optional[Dict[str, Any]] = None  # None when the folder cannot be loaded

    @property
    def ok(self) -> bool:
        return not self.problems and all(sample.status == "passed" for sample in self.samples)


def check(folder: Folder, *, tell: Callable[[Event], None] = lambda event: None) -> Report:
    """Load the application in `folder` in this process, set it up without a model and run its samples.

    Never raises because of the folder: what is wrong is in the report. `tell` gets each event as it happens.
    """
    report = Report()
    loaded = _loaded(folder, report, tell)
    if loaded is not None:
        report.schema = loaded.schema
        tell({"event": "schema", "schema": loaded.schema})
        preload = _preload(loaded)
        if preload.modules:
            tell({"event": "preload", **dataclasses.asdict(preload)})
        for sample in loaded.samples:
            ran = _run_sample(loaded, sample)
            report.samples.append(ran)
            tell({"event": "sample", **dataclasses.asdict(ran)})
    tell({"event": "done", "ok": report.ok})
    return report


def _loaded(folder: Folder, report: Report, tell: Callable[[Event], None]) -> Optional[Loaded]:
    try:
        loaded = loading.load(folder)
        _set_up(loaded, None)
    except ProblemsFound as error:
        report.problems.extend(error.problems)
        for problem in error.problems:
            tell({"event": "problem", **problem._asdict()})
        if isinstance(error, ImportFailed) and error.traceback:
            print(error.traceback, file=sys.stderr)
        return None
    return loaded


def _preload(loaded: Loaded) -> Preload:
    manifest = loaded.manifest
    if manifest.sleep.wake == "spawn":
        return Preload([], "manifest")
    lock = (loaded.folder / manifest.environment.lock).read_text(encoding="utf-8", errors="replace")
    modules = preloads.resolved(manifest.sleep.preload, "" if manifest.command else lock)
    return Preload(modules, "lock" if preloads.AUTO in manifest.sleep.preload else "manifest")


def _set_up(loaded: Loaded, model: Optional[Path]) -> None:
    """Set the application up. Raises ImportFailed when the author's code raises."""
    try:
        loading.set_up(loaded, model)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the author's setup raises
        file, line = author_line(error, loaded.folder)
        cure = "It must also work without a model: `model` is None until the first one is learned."
        problem = Problem(
            file or "app.py", line, "setup", f"setup raised {message_of(error)}", cure if not model else ""
        )
        raise ImportFailed(problem, author_traceback(error, loaded.folder)) from None


def _run_sample(loaded: Loaded, sample: Sample) -> SampleRun:
    timeout = loaded.manifest.execute.timeout
    outcome = trial.execute(loaded, sample.accepted, sample.files, timeout=timeout)
    message = ""
    if not outcome.succeeded:
        message = outcome.message
        print(outcome.traceback or outcome.log, file=sys.stderr)
        place = _last_place(outcome.traceback)
        message = f"{place}: {message}" if place else message
    elif sample.expect is not None:
        message = difference(sample.expect, outcome.outputs, sample.tolerance)
        message = f"Output {message}." if message else ""
    return SampleRun(sample.name, "failed" if message or not outcome.succeeded else "passed", message, outcome.seconds)


def _last_place(traceback: str) -> str:
    """`app.py:31` out of a traceback whose paths are relative to the folder."""
    found = ""
    for line in traceback.splitlines():
        if line.startswith('  File "') and not line.startswith('  File "/'):
            name, _, rest = line[8:].partition('", line ')
            found = f"{name}:{rest.split(',')[0]}"
    return found


def run(
    folder: Folder,
    inputs: Mapping[str, Any],
    *,
    seed: int = 0,
    model: Optional[Folder] = None,
    into: Optional[Folder] = None,
    timeout: Optional[float] = None,
    tell: Optional[trial.Tell] = None,
) -> Outcome:
    """Execute the application in `folder` once, in this process, with no platform.

    `inputs` are as in the API; a file, table or series may also be the path of a local file. Files that come out are
    written into the folder `into`. `tell` gets the headers of progress, log and output frames as they come.
    Raises ProblemsFound when the folder cannot be loaded; inputs that do not fit give the status `refused`.
    """
    loaded = loading.load(folder)
    live = Path(model).resolve() if model is not None else None
    accepted, files, errors = trial.prepare(loaded, inputs)
    if errors:
        message = " ".join(f'Input "{error.field}" {error.message}' for error in errors)
        return Outcome("refused", message=message, errors=errors)
    _set_up(loaded, live)
    target = Path(into).resolve() if into is not None else None
    local = {name: path.resolve() for name, path in files.items()}
    return trial.execute(loaded, accepted, local, seed=seed, model=live, into=target, timeout=timeout, tell=tell)


def learn(
    folder: Folder,
    rows: Sequence[Any],
    target: Folder,
    *,
    parent: Optional[Folder] = None,
    checkpoint: Optional[Folder] = None,
    seed: int = 0,
    tell: Callable[[Event], None] = lambda event: None,
    yields: bool = False,
) -> Dict[str, float]:
    """Have the application in `folder` learn from `rows` (as in its intake; a file is named by its path); afterwards
    `target` holds the model. `checkpoint` is a folder that the run may go on from. `tell` gets progress, metric, log
    and checkpoint events; with `yields`, somebody needs the application from the beginning.

    Returns the metrics. Raises ProblemsFound, Failed, Yielded, or what the author's code raises."""
    loaded = _that_learns(folder)
    before = _folder(parent)
    _set_up(loaded, before)
    with tempfile.TemporaryDirectory(prefix="ovd-learn-") as work:
        saved = _folder(checkpoint) or Path(work, "checkpoint")
        saved.mkdir(parents=True, exist_ok=True)
        context = _context(before, saved, seed, Path(work), tell)
        if yields:
            context.ask_to_yield()
        samples = learning.samples_of(loaded.schema["sample"], rows, Path(work))
        made = Path(target).resolve()
        metrics = learning.learn(loaded, samples, context, parent=before, target=made)
        learning.packed(made, Path(work, "model.tar"), "`target`")
        return metrics


def evaluate(folder: Folder, rows: Sequence[Any], model: Optional[Folder] = None, *, seed: int = 0) -> Evaluation:
    """Have the application in `folder` judge `model` (None: what it does without one) on `rows`.

    Raises ProblemsFound, Failed, or what the author's code raises."""
    loaded = _that_learns(folder)
    live = _folder(model)
    _set_up(loaded, live)
    with tempfile.TemporaryDirectory(prefix="ovd-evaluate-") as work:
        samples = learning.samples_of(loaded.schema["sample"], rows, Path(work))
        return learning.evaluate(loaded, samples, _context(live, None, seed, Path(work), lambda event: None))


def _folder(given: Optional[Folder]) -> Optional[Path]:
    return Path(given).resolve() if given is not None else None


def _context(
    model: Optional[Path], checkpoint: Optional[Path], seed: int, work: Path, tell: Callable[[Event], None]
) -> Context:
    saves = itertools.count(1)
    scratch = work / "scratch"
    scratch.mkdir()

    def save() -> None:
        assert checkpoint is not None  # the context sees to that
        tar = work / f"checkpoint-{next(saves)}"
        size = learning.packed(checkpoint, tar, "`checkpoint`")
        tar.unlink()
        tell({"event": "checkpoint", "size": size})

    return Context(
        seed=seed,
        model=model,
        checkpoint=checkpoint,
        scratch=lambda: scratch,
        on_progress=lambda fraction, message: tell({"event": "progress", "fraction": fraction, "message": message}),
        on_log=lambda text: tell({"event": "log", "text": text}),
        on_metric=lambda name, value, step: tell(
            {"event": "metric", "name": name, "value": learning.finite_metric(name, value), "step": step}
        ),
        on_save=save,
    )


def _that_learns(folder: Folder) -> Loaded:
    loaded = loading.load(folder)
    if loaded.manifest.learn is None:
        cure = "Add the tables [learn] and [gate], and the methods learn and evaluate."
        raise ProblemsFound([loaded.manifest.problem("learn", "This application does not learn.", cure)])
    return loaded


def main(arguments: Optional[List[str]] = None) -> int:
    """Check a folder and print what was found. Returns the exit code: 0 when all is well, else 1."""
    parser = argparse.ArgumentParser(prog="python -m ovd.testing", description="Check an application's folder.")
    parser.add_argument("folder", type=Path, help="the application's folder")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args(arguments)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")  # ours alone: what the author prints goes to stderr
    sys.stdout.flush()
    os.dup2(2, 1)

    def tell(event: Event) -> None:
        line = json.dumps(event, ensure_ascii=False) if options.json else _sentence(event)
        if line:
            print(line, file=out, flush=True)

    return 0 if check(options.folder, tell=tell).ok else 1


def _sentence(event: Event) -> str:
    kind = event["event"]
    if kind == "problem":
        return str(Problem(*(event[part] for part in Problem._fields)))
    if kind == "sample":
        return f"sample {event['name']}: {event['status']} in {event['seconds']:.3f} s {event['message']}".rstrip()
    if kind == "preload":
        return preloads.said(event["modules"], event["source"])
    if kind == "done":
        return "All is well." if event["ok"] else "There is something to cure."
    return ""


if __name__ == "__main__":
    sys.exit(main())
