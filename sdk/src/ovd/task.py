"""Task: one learning or evaluation in this process, told as a story that ends with exactly one done, failed or
yielded."""

import json
import threading
import time
from pathlib import Path
from typing import IO, Any, Callable, Dict, Mapping, NamedTuple, Optional

from ovd import failures, learning, tars
from ovd.app import Failed
from ovd.context import Cancelled, Context, Yielded
from ovd.data import Samples
from ovd.lines import Lines
from ovd.loading import Loaded
from ovd.printed import Printed
from ovd.protocol import ProtocolError
from ovd.rows import Rows
from ovd.story import Story
from ovd.tracebacks import storable

CHECKPOINT = "checkpoint-"  # and a number: the keys of checkpoints
ENDURANCE = 3.0  # s for code that was cancelled, or is late, to end by itself before the story ends without it


class Order(NamedTuple):
    """What the client asked for."""

    kind: str  # learn or evaluate
    samples: Path  # JSON Lines
    files: Mapping[str, Path]  # of the samples, by digest
    checkpoint: Optional[Path]  # a tar to go on from
    seed: int
    timeout: Optional[float]  # s


class Task:
    """The one task of a process."""

    def __init__(self, loaded: Loaded, order: Order, *, model: Optional[Path], folder: Path, story: Story) -> None:
        self._files: Dict[str, Path] = {}  # what it has made, by the key that its events name
        self._loaded = loaded
        self._order = order
        self._model = model
        self._folder = folder
        self._story = story
        self._started = time.perf_counter()
        self._is_cancelled = False
        self._interrupt: Optional[Callable[[], None]] = None
        self._lock = threading.Lock()
        self._saved: Optional[Dict[str, Any]] = None  # file and size of the latest checkpoint of this task
        self._saves = 0
        self._printed = Printed(lambda text, stream: story.log(storable(text), stream))
        self.print = self._printed.add  # what the author's code printed, and the stream
        self._context = self._new_context()

    def cancel(self) -> None:
        """Ask the author's code to stop; may be called from any thread, and twice."""
        with self._lock:
            is_new, self._is_cancelled = not self._is_cancelled, True
            interrupt = self._interrupt
        self._context.cancel()
        if interrupt is not None:
            interrupt()
        if is_new:
            self._end_within(ENDURANCE)

    def ask_to_yield(self) -> None:
        """Ask the author's code to save a checkpoint and give way; may be called from any thread."""
        self._context.ask_to_yield()

    def open(self, key: str) -> Optional[IO[bytes]]:
        """A file that it made, for reading; None when there is none. In place of a checkpoint that a newer one has
        replaced comes the newer one: it says more."""
        is_checkpoint = key.startswith(CHECKPOINT) and key[len(CHECKPOINT) :].isdecimal()
        while True:
            saves = self._saves
            if is_checkpoint and 0 < int(key[len(CHECKPOINT) :]) <= saves:
                key = f"{CHECKPOINT}{saves}"
            path = self._files.get(key)
            try:
                if path is not None:
                    return path.open("rb")
            except FileNotFoundError:
                path = None
            if self._saves == saves:  # else it has just been replaced: look again
                return None

    def run(self) -> None:
        """Do it; afterwards the story has its end."""
        self._started = time.perf_counter()
        self._story.tell("started", {})
        if self._order.timeout is not None:
            self._end_within(self._order.timeout + ENDURANCE)
        try:
            kind, body = "done", self._done()
        except Yielded:
            kind, body = "yielded", self._saved or {"file": None, "size": 0}
        except BaseException as error:  # whatever it is, it is the author's
            early = None if isinstance(error, (MemoryError, SystemExit)) else self._ended_early()
            kind, body = "failed", early or failures.of(error, self._loaded.folder)
        self._end(kind, (self._ended_early() if kind == "done" else None) or body)

    def _end(self, kind: str, body: Dict[str, Any]) -> None:
        self._printed.finish()
        if "code" in body:
            kind, body = "failed", {**body, "seconds": self._seconds()}
        try:
            self._story.tell(kind, body)
        except (ProtocolError, ValueError) as error:
            told = failures.told("output", f"What it returned cannot be sent: {error}")
            self._story.tell("failed", {**told, "seconds": self._seconds()})

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._started, 6)

    def _ended_early(self) -> Optional[Dict[str, Any]]:
        if self._is_cancelled:
            return failures.told("cancelled", "It was cancelled.")
        if self._context.is_late:
            return failures.told("timeout", f"It took longer than its time limit of {self._order.timeout:g} s.")
        return None

    def _end_within(self, seconds: float) -> None:
        """Code that never looks at its context goes on, but nobody waits for it any longer."""

        def end() -> None:
            early = self._ended_early()
            if early is not None and not self._story.is_over:
                self._end("failed", early)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()

    # what it does

    def _done(self) -> Dict[str, Any]:
        order = self._order
        if order.checkpoint is not None:
            self._unpack(order.checkpoint)
        lines = Lines(order.samples)
        samples = Samples(Rows(lines, self._loaded.schema["sample"] or {"properties": {}}, order.files))
        self._stop_if_asked()
        return self._learn(samples) if order.kind == "learn" else self._evaluate(samples)

    def _stop_if_asked(self) -> None:
        if self._is_cancelled:
            raise Cancelled
        if self._context.should_yield and self._order.kind == "learn":
            raise Yielded

    def _unpack(self, checkpoint: Path) -> None:
        try:
            tars.unpack(checkpoint, self._checkpoint)
        except tars.Unfit as unfit:
            raise Failed(f"The checkpoint cannot be used. {unfit}") from None
        checkpoint.unlink()

    def _learn(self, samples: Samples) -> Dict[str, Any]:
        target = self._folder / "target"
        metrics = learning.learn(
            self._loaded, samples, self._context, parent=self._model, target=target, interruptible=self._interruptible
        )
        model = self._produced("model")
        size = learning.packed(target, model, "`target`")
        return {"metrics": metrics, "file": model.name, "size": size, "seconds": self._seconds()}

    def _evaluate(self, samples: Samples) -> Dict[str, Any]:
        found = learning.evaluate(self._loaded, samples, self._context, interruptible=self._interruptible)
        scores = None
        if found.scores is not None:
            scores = self._produced("scores")
            scores.write_text(json.dumps(found.scores), encoding="utf-8")
        runs = learning.golden_runs(self._loaded, self._model, lambda: self._context.is_cancelled)
        return {
            "metrics": found.metrics,
            "scores": scores.name if scores is not None else None,
            "seconds": self._seconds(),
            "execution_seconds": learning.usual_seconds(runs),
            "samples": [run._asdict() for run in runs],
        }

    def _interruptible(self, interrupt: Optional[Callable[[], None]]) -> None:
        with self._lock:
            self._interrupt = interrupt
            is_late = self._is_cancelled and interrupt is not None
        if is_late and interrupt is not None:
            interrupt()

    # what its code asks and tells

    def _new_context(self) -> Context:
        order = self._order
        return Context(
            seed=order.seed,
            model=self._model,
            checkpoint=self._checkpoint if order.kind == "learn" else None,
            scratch=lambda: _made(self._folder / "scratch"),
            deadline=time.monotonic() + order.timeout if order.timeout is not None else None,
            on_progress=self._on_progress,
            on_log=lambda text: self._story.log(storable(text if text.endswith("\n") else text + "\n"), "stdout"),
            on_metric=self._on_metric,
            on_save=self._on_save,
        )

    @property
    def _checkpoint(self) -> Path:
        return _made(self._folder / "checkpoint")

    def _produced(self, key: str) -> Path:
        path = self._files[key] = _made(self._folder / "made") / key
        return path

    def _on_progress(self, fraction: float, message: str) -> None:
        self._story.tell("progress", {"fraction": fraction, "message": storable(message[:1000])})

    def _on_metric(self, name: str, value: float, step: Optional[int]) -> None:
        value = learning.finite_metric(name, value)
        step = None if step is None else int(step)
        self._story.tell("metric", {"name": storable(name[:200]), "value": value, "step": step})

    def _on_save(self) -> None:
        path = _made(self._folder / "made") / f"{CHECKPOINT}{self._saves + 1}"
        size = learning.packed(self._checkpoint, path, "`checkpoint`")
        self._files[path.name] = path
        self._saves += 1  # from now on it is the one that is sent
        older = self._files.pop(f"{CHECKPOINT}{self._saves - 1}", None)
        self._saved = {"file": path.name, "size": size}
        self._story.tell("checkpoint", self._saved)
        if older is not None:
            older.unlink()  # whoever is reading it reads on


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
