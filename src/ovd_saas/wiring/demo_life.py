"""Demo, the life: the real series, fed two weeks at a time; the application learns, is judged, and sleeps. Floor 4.

One delivery is not as measured: for its first days a coarse spare meter counted. The gate keeps out what was learned
from it, the delivery is taken down, and the measured one comes in its place. What did not happen raises NotSo.
"""

import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ovd.client import Batch, Client, LearningRun, Model, NotFound, OvdError
from ovd_saas.wiring import demo_hours

NAME = "water-flow"
DELIVERIES = ("1-march", "2-april", "3-april-spare-meter", "3-april")
SPARE = "3-april-spare-meter"
UNSEEN = "4-may-not-fed"
LEARN_WITHIN_SECONDS = 90.0
SLEEP_WITHIN_SECONDS = 60.0
BUILD_WITHIN_SECONDS = 120.0
EQUAL = 1e-9  # l/s: two ways to compute the same
BETTER = 0.9  # of the seasonal-naive error: what is called better at the end

Say = Callable[[str, str], None]  # a word for the margin, and a line


class NotSo(Exception):
    """Something that the demo says did not happen; the message is the end of a sentence."""


def play(client: Client, example: Path, say: Say) -> None:
    """Feeds, waits and tells; at the end everything that was printed has been checked."""
    application = _home_for_it(client, example, say)
    runs = {name: _deliver(client, application, example, name, say) for name in DELIVERIES}
    versions = [client.model(application, run.candidate) for run in runs.values() if run.candidate is not None]
    if not versions[-1].is_live or sum(bool(model.document["promotions"]) for model in versions) < 2:
        raise NotSo("several versions were promoted and the last one is live")
    _ledger(client, application, versions, say)
    flows = demo_hours.read(example / "feed", ("1-march", "2-april", "3-april", UNSEEN))
    _table(client, application, example, versions, flows, say)
    _anomalies(client, application, flows, say)


def _home_for_it(client: Client, example: Path, say: Say) -> str:
    """The address of an application that nothing was fed to: the example itself, else a new one of the same code."""
    number = 1
    while _was_fed(client, application := f"demo/{NAME}" + (f"-{number}" if number > 1 else "")):
        number += 1
    if not _exists(client, application):
        say("new", f"{application}, because the one before has lived already; its own data and models, the same code")
        _publish(client, example, application)
    say(
        "series",
        "WaterFlow, hourly flow in a pipeline, donated by Tecnojest s.r.l. to the river project (BSD-3-Clause)",
    )
    return application


def _was_fed(client: Client, application: str) -> bool:
    return _exists(client, application) and bool(client.batches(application))


def _exists(client: Client, application: str) -> bool:
    with suppress(NotFound):
        return client.application(application)["release"] is not None
    return False


def _publish(client: Client, example: Path, application: str) -> None:
    name = application.rpartition("/")[2]
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / name
        shutil.copytree(example, copy, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = (copy / "ovd.toml").read_text(encoding="utf-8")
        (copy / "ovd.toml").write_text(
            re.sub(r"^name = .*$", f'name = "{name}"', manifest, count=1, flags=re.MULTILINE), encoding="utf-8"
        )
        release = client.push(copy, "demo")
    built = _until(
        f"{application} is built",
        lambda: (found := client.release(application, release.number)).is_finished and found,
        BUILD_WITHIN_SECONDS,
    )
    if not built.is_ready:
        raise NotSo(f"{application} was built: {built.reason}")
    _until(f"{application} serves it", lambda: _exists(client, application), BUILD_WITHIN_SECONDS)


def _deliver(client: Client, application: str, example: Path, name: str, say: Say) -> LearningRun:
    """One delivery, and all that follows from it; the learning run, finished."""
    before = _asleep(client, application)
    say("asleep", f"{application}: {before['next']['what'] if before['next'] else before['reason']}")
    known = {run.id for run in client.learning_runs(application)}
    batch = client.feed(application, example / "feed" / f"{name}.jsonl")
    remark = "; until 21 April a spare meter counted, in steps of 5 l/s" if name == SPARE else ""
    say("fed", f"batch {batch.number}: {batch.samples} hours, {name}{remark}")
    run: LearningRun = _until(
        "learning is due",
        lambda: next((run for run in client.learning_runs(application) if run.id not in known), None),
        LEARN_WITHIN_SECONDS,
    )
    say("due", f"learning run {run.number}. {_why(client, application, run)}")
    run = _follow(client, run, say)
    _told(client, application, run, name, say)
    if name == SPARE:
        _take_down(client, application, batch, run, say)
    return run


def _why(client: Client, application: str, run: LearningRun) -> str:
    """The reason in the trigger's row."""
    for row in client.triggers(application):
        if row["decision"] == "due" and row["learning_run"] and row["learning_run"]["id"] == run.id:
            return str(row["reason"])
    raise NotSo(f"a row says what made learning run {run.number} due")


def _follow(client: Client, run: LearningRun, say: Say) -> LearningRun:
    """Tells of the progress, at most one line a second, until the run is over."""
    last, moments = 0.0, 0
    for event in client.learning_events(run.id):
        if event.name == "progress":
            moments += 1
            if time.monotonic() - last > 1:
                last = time.monotonic()
                say("learning", f"{event.data['fraction'] or 0:4.0%}  {event.data['message']}")
    found = client.learning_run(run.id)
    if not found.is_finished or found.status not in ("promoted", "rejected"):
        raise NotSo(f"learning run {run.number} was promoted or rejected; it is {found.status}: {found.reason}")
    if not moments:
        raise NotSo(f"learning run {run.number} told of its progress")
    return found


def _told(client: Client, application: str, run: LearningRun, name: str, say: Say) -> None:
    """What came out, as the run, the version and the ledger agree on it."""
    if run.candidate is None or not run.verdict:
        raise NotSo(f"learning run {run.number} made a version that the gate judged")
    model = client.model(application, run.candidate)
    snapshot = run.document["snapshot"]
    say("learned", f"version {model.number} from {snapshot['train']} hours; judged on the {snapshot['holdout']} newest")
    say("gate", run.verdict)
    live = client.live(application)["model"]
    is_live = live is not None and live["number"] == model.number
    if (run.status == "promoted") != is_live or model.is_live != is_live:
        raise NotSo(f"version {model.number} is live exactly if it was promoted")
    if name == SPARE and run.status == "promoted":
        raise NotSo("the gate keeps out what was learned from the spare meter")
    say("lived", " → ".join(_lived(client, application, run)))
    stays = f"version {live['number']} stays live" if live else "it goes on without a model"
    say(run.status, f"version {model.number}" + ("" if is_live else f"; {stays}"))


def _lived(client: Client, application: str, run: LearningRun) -> list[str]:
    """The states that the application's learning went through, by its timeline."""
    cause = f"learning-run:{run.number}"
    rows = [row for row in client.timeline(application) if row["region"] == "learning" and row["cause"] == cause]
    states = [rows[-1]["from"], *(row["to"] for row in reversed(rows))] if rows else []
    if states != ["resting", "due", "learning", "evaluating", "resting"]:
        raise NotSo(f"its timeline shows it resting, due, learning, evaluating and resting; it shows {states}")
    return states


def _take_down(client: Client, application: str, batch: Batch, run: LearningRun, say: Say) -> None:
    """Afterwards the batch is gone; the versions that learned from it are named."""
    learned = [model["number"] for model in client.take_down(application, batch.number)]
    if learned != [run.candidate] or client.batch(application, batch.number).status != "taken_down":
        raise NotSo(f"batch {batch.number} is taken down and version {run.candidate} named; {learned} were")
    say("taken down", f"batch {batch.number}; learned from it: version {run.candidate}, which was never live")


def _ledger(client: Client, application: str, versions: list[Model], say: Say) -> None:
    """What was live when, asked of the platform for the moment of each promotion."""
    rows = [(row["at"], model.number) for model in versions for row in model.document["promotions"]]
    for at, number in sorted(rows, key=lambda row: datetime.fromisoformat(row[0])):
        there = client.live(application, at)["model"]
        if there is None or there["number"] != number:
            raise NotSo(f"version {number} is what was live at {at}")
        say("ledger", f"version {number} is live from {at}")


def _table(
    client: Client, application: str, example: Path, versions: list[Model], flows: demo_hours.Flows, say: Say
) -> None:
    """The error of each on hours that none has seen, computed from the archives of the versions."""
    naive, hours = demo_hours.seasonal_naive(flows)
    without, _ = demo_hours.error(flows, demo_hours.by_archive(example, None))
    if abs(without - naive) > EQUAL:
        raise NotSo(f"the application without a model is seasonal-naive; {without} is not {naive}")
    errors = {model.number: _error(client, application, example, model, flows) for model in versions}
    say("", "")
    say("error", demo_hours.DEFINITION)
    say("", f"{'':<24}{'l/s':>8}{'against seasonal-naive':>26}   {hours} hours")
    say("", f"{'seasonal-naive':<24}{naive:>8.4f}")
    for model in versions:
        name = f"version {model.number}, {'live' if model.is_live else model.status}"
        difference = (
            f"{abs(1 - errors[model.number] / naive):.1%} {'lower' if errors[model.number] < naive else 'higher'}"
        )
        say("", f"{name:<24}{errors[model.number]:>8.4f}{difference:>26}")
    final = versions[-1]
    answered, _ = demo_hours.error(flows, _by_platform(client, application, final.number))
    if abs(answered - errors[final.number]) > EQUAL:
        raise NotSo(f"executions give what the archive gives; {answered} is not {errors[final.number]}")
    if not errors[final.number] < BETTER * naive:
        raise NotSo(f"version {final.number} is better than seasonal-naive")
    if any(errors[model.number] <= errors[final.number] for model in versions[:-1]):
        raise NotSo(f"version {final.number} is better than those before it")
    saved = 1 - errors[final.number] / naive
    say("better", f"version {final.number} saves {saved:.1%} of the seasonal-naive error; executions say the same")


def _error(client: Client, application: str, example: Path, model: Model, flows: demo_hours.Flows) -> float:
    """By the archive as it can be downloaded; its digest is checked by the client."""
    with tempfile.TemporaryDirectory() as work:
        archive = client.download_model(application, model.number, Path(work) / "model.tar")
        folder = Path(work) / "model"
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        return demo_hours.error(flows, demo_hours.by_archive(example, folder))[0]


def _by_platform(client: Client, application: str, number: int) -> demo_hours.Forecast:
    """Executes on the platform, which must do it with this version."""

    def forecast(inputs: dict[str, Any]) -> dict[str, Any]:
        execution = client.execute(application, inputs, wait=60)
        if not execution.is_success or execution.document["model"] != number:
            raise NotSo(f"version {number} answers; {execution.document['model']} {execution.status}")
        return execution.outputs

    return forecast


def _anomalies(client: Client, application: str, flows: demo_hours.Flows, say: Say) -> None:
    """The segments that river tells of, found in the whole series by one execution."""
    execution = client.execute(application, {"history": demo_hours.series(flows)}, wait=60)
    if not execution.is_success:
        raise NotSo(f"the whole series can be executed; it {execution.status}: {execution.reason}")
    columns = execution.outputs["anomalies"]["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in execution.outputs["anomalies"]["rows"]]
    if sorted(row["kind"] for row in rows) != ["high", "low", "low", "low"]:
        raise NotSo("three falls and a peak are flagged, as river says there are")
    for row in rows:
        say(
            "anomaly",
            f"{row['start']} to {row['end']}  {row['kind']:<4}  {row['flow']} l/s, {row['expected']} expected",
        )
    after = _asleep(client, application)
    say("asleep", f"{application} is {after['phase']}: {after['reason']}")


def _asleep(client: Client, application: str) -> dict[str, Any]:
    """The application when it neither executes nor learns."""

    def rests() -> dict[str, Any] | None:
        found = client.application(application)
        return found if found["service"] == "asleep" and found["learning"] == "resting" else None

    found: dict[str, Any] = _until(f"{application} is asleep", rests, SLEEP_WITHIN_SECONDS)
    return found


def _until(what: str, found: Callable[[], Any], within_seconds: float) -> Any:
    """What `found` gives, as soon as it is something. Raises NotSo."""
    deadline = time.monotonic() + within_seconds
    while not (value := _patiently(found)):
        if time.monotonic() > deadline:
            raise NotSo(f"within {within_seconds:g} s {what}")
        time.sleep(0.1)
    return value


def _patiently(found: Callable[[], Any]) -> Any:
    """A platform that is busy for a moment is asked again."""
    try:
        return found()
    except OvdError:
        return None
