"""Learning processes: a process that learns or evaluates, from its start to its end, seen by whoever waits for it.
Floor 2."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.utils import timezone

from ovd_saas.appcore import loose_files, processes, snapshots, task_events
from ovd_saas.appcore.snapshots import Line
from ovd_saas.appcore.task_events import Event
from ovd_saas.appcore.task_line import LineLost, TaskLine
from ovd_saas.domain import gate
from ovd_saas.domain import processes as processing
from ovd_saas.engines import base
from ovd_saas.engines.base import Engine
from ovd_saas.files import Missing, Stored
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, LearningRun, ModelVersion, Process, Release, Runner

log = structlog.get_logger()

SLACK_SECONDS = 20.0  # beyond the time limit, for a process that does not end by itself
LONGEST_SCORE = 32  # bytes of JSON
MOST_SCORES = 1_000  # beyond one a sample, which are too many, but nobody's ruin: the gate says so
LEARN = "learn"  # the kind of process that learns
ROOM_SECONDS = 0.5  # between two looks whether the machine has memory for it
END_SECONDS = 2.0  # how long the runner may take to say why a process ended
LIMITS = {"memory_mb": 512, "cpus": 1, "disk_mb": 256}
OURS = ("runner went away", "stopped as asked", "had not renewed its lease")  # ends that are no fault of the author's


class Over(Exception):
    """Nobody wants the result any more, or the platform stops."""


class Lost(Exception):
    """The process ended without a result; the text says why."""

    def __init__(self, message: str, *, counts: bool) -> None:
        super().__init__(message)
        self.counts = counts  # False: it was the platform's fault


class Failed(Exception):
    """The author's code failed, or broke a limit."""

    def __init__(self, code: str, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.traceback = traceback


class LearningProcess:
    """A task process and the line to it. `look` is called about once a second while it waits; it may raise Over."""

    def __init__(self, engine: Engine, row: Process, *, look: Callable[[], None]) -> None:
        self._engine = engine
        self.id: UUID = row.pk
        self._application_id = row.application_id
        self._task = f"{row.kind}-{row.pk}"
        try:
            self.line = TaskLine(row.address, self._task, beat=look)
        except LineLost as lost:
            raise self._why(lost) from None

    @classmethod
    def start(
        cls,
        *,
        engine: Engine,
        runner: Runner,
        application: Application,
        release: Release,
        model: ModelVersion | None,
        run: LearningRun | None,
        kind: str,
        look: Callable[[], None] = lambda: None,
    ) -> "LearningProcess":
        """A new process of a release that was set up with a model. Raises Lost, Failed, Over."""
        while True:
            try:
                row = processes.start_task(
                    engine=engine, application=application, release=release, model=model, run=run, kind=kind,
                    runner=runner, limits=limits(release), now=timezone.now(),
                )  # fmt: skip
                break
            except processes.NoRoom as lack:
                if kind == LEARN:  # it waits in its queue
                    raise Lost(str(lack), counts=False) from None
                look()
                time.sleep(ROOM_SECONDS)
            except processes.TooLarge as refusal:
                raise Failed("limit", str(refusal)) from None
            except base.RunnerDown as error:
                raise Lost(str(error), counts=False) from None
            except (base.EngineError, Missing) as error:
                raise Lost(f"Its process could not be started: {error}", counts=True) from None
        if row is None:
            raise Over
        if row.state == processing.ENDED:
            raise Lost(row.end_reason, counts=True)
        try:
            return cls(engine, row, look=look)
        except BaseException:
            stop(engine, row.pk)
            raise

    def wake(self) -> None:
        """Have `events` return now; from any thread."""
        self.line.wake()

    def put_samples(self, key: str, lines: Iterable[Line], *, limit_mb: float) -> dict[str, str]:
        """Send samples, and the files that they name; under which key each digest is. Raises Lost, Failed."""
        named: dict[str, str] = {}
        try:
            size = self.line.put(key, _noting(lines, named, lambda: snapshots.files_of(self._application_id)))
            if size > limit_mb * (1 << 20):
                raise Failed(
                    "disk", f"The samples have {size >> 20} MB; its limit is {limit_mb:g} MB. Raise learn.disk_mb."
                )
            for number, digest in enumerate(sorted(named)):
                named[digest] = f"sample-{number}"
                self.line.put(named[digest], files.chunks(digest))
        except LineLost as lost:
            raise self._why(lost) from None
        return named

    def put(self, key: str, digest: str) -> str:
        """Send a file of the file store. Raises Lost, Failed."""
        try:
            self.line.put(key, files.chunks(digest))
        except LineLost as lost:
            raise self._why(lost) from None
        return key

    def ask(self, kind: str, **values: Any) -> None:
        """Raises Lost, Failed."""
        try:
            self.line.ask(kind, **values)
        except LineLost as lost:
            raise self._why(lost) from None

    def events(self, seconds: float) -> Iterator[Event]:
        """What it told, as soon as there is something. Raises Lost, Failed."""
        try:
            yield from self.line.events(seconds)
        except LineLost as lost:
            raise self._why(lost) from None

    def fetch(self, file: str, *, limit_mb: float) -> Stored:
        """A file of the process, durable. It is let go at once: whoever keeps it writes a row that refers to it within
        the grace of loose files. Raises Lost, Failed."""
        try:
            stored = self.line.fetch(file, most=int(limit_mb * (1 << 20)))
        except LineLost as lost:
            raise self._why(lost) from None
        loose_files.let_go([stored.digest], now=timezone.now())
        return stored

    def scores(self, file: str, *, most: int) -> list[float]:
        """At most so many numbers in a file of the process. Raises Lost, Failed."""
        try:
            raw = b"".join(self.line.pieces(file, most=LONGEST_SCORE * (most + 1)))
            return task_events.numbers(orjson.loads(raw), most)
        except LineLost as lost:
            raise self._why(lost) from None
        except ValueError as error:
            raise Failed("output", f"Its scores cannot be used: {error}.") from None

    def end(self) -> None:
        """Hang up, and have it stopped."""
        self.line.close()
        stop(self._engine, self.id)

    def _why(self, lost: LineLost) -> Exception:
        """What the runner says of a process that hung up."""
        until = time.monotonic() + END_SECONDS
        while True:
            row = Process.objects.filter(pk=self.id).values_list("state", "end_reason").first()
            if row is None or row[0] == processing.ENDED:
                break
            if time.monotonic() > until:
                return Lost(str(lost), counts=self._is_runner_up())
            time.sleep(0.02)
        reason = row[1] if row is not None else str(lost)
        if " limit of " in reason:
            return Failed("limit", f"Its process was {reason}.")
        return Lost(f"Its process is gone: {reason}", counts=not any(words in reason for words in OURS))

    def _is_runner_up(self) -> bool:
        try:
            self._engine.hello()
        except base.RunnerDown:
            return False
        return True


def stop(engine: Engine, process_id: UUID) -> None:
    """Afterwards the runner ends it, if it lives."""
    try:
        engine.stop(str(process_id), 1.0)
    except base.EngineError as error:
        log.info("a task process could not be stopped", process=str(process_id), error=str(error))


def assess(
    *,
    engine: Engine,
    runner: Runner,
    application: Application,
    release: Release,
    model: ModelVersion | None,
    lines: Iterable[Line],
    samples: int,
    seed: int = 0,
    run: LearningRun | None = None,
    look: Callable[[], None] = lambda: None,
    on_start: Callable[[LearningProcess], None] = lambda process: None,
    on_progress: Callable[[Mapping[str, Any]], None] = lambda body: None,
) -> gate.Assessment:
    """How good this version is on these samples, evaluated in a process of its own. `samples` is how many they
    are. Raises Lost, Failed, Over."""
    timeout = float(release.manifest["learn"]["timeout"])
    process = LearningProcess.start(
        engine=engine, runner=runner, application=application, release=release, model=model, run=run,
        kind="evaluate", look=look,
    )  # fmt: skip
    try:
        on_start(process)
        named = process.put_samples("holdout", lines, limit_mb=limits(release)["disk_mb"])
        process.ask("evaluate", holdout="holdout", files=named, seed=seed, timeout=timeout)
        process.ask("follow", after=0)
        until = time.monotonic() + timeout + SLACK_SECONDS
        while True:
            for event in process.events(1.0):
                if event.kind == "failed":
                    raise failed(event)
                if event.kind == "progress":
                    on_progress(event.body)
                if event.kind == "done":
                    return _assessment(process, event.body, samples)
            look()
            if time.monotonic() > until:
                raise Failed("timeout", f"It took longer than its time limit of {timeout:g} s.")
    finally:
        process.end()


def failed(event: Event) -> Failed:
    """What the process told of its failure."""
    return Failed(event.body["code"], event.body["message"], event.body["traceback"])


def limits(release: Release) -> dict[str, Any]:
    """What a process of this release may use while it learns: as [learn] says, else as [resources]."""
    resources, learn = release.manifest.get("resources", {}), release.manifest.get("learn") or {}
    return {name: learn.get(name) or resources.get(name) or usual for name, usual in LIMITS.items()}


def _assessment(process: LearningProcess, body: Mapping[str, Any], samples: int) -> gate.Assessment:
    scores = process.scores(body["scores"], most=MOST_SCORES + samples) if body["scores"] is not None else None
    broken = [one["name"] for one in body["samples"] if one["status"] == "failed"]
    return gate.Assessment(
        metrics=body["metrics"], scores=scores, execution_seconds=body["execution_seconds"],
        failed_samples=tuple(broken), samples=samples,
    )  # fmt: skip


def _noting(lines: Iterable[Line], named: dict[str, str], known: Callable[[], set[str]]) -> Iterator[bytes]:
    """The lines with their ends; the digests of the files that samples name, of those that are `known`, are noted on
    the way."""
    ours: set[str] | None = None
    for line in lines:
        if b'"digest"' in line.text:
            ours = known() if ours is None else ours
            for value in orjson.loads(line.text).values() if ours else ():
                digest = value.get("digest") if isinstance(value, dict) else None
                if isinstance(digest, str) and digest in ours:
                    named[digest] = ""
        yield line.text + b"\n"
