"""Water flow: how good the forecast and the anomaly flags of examples/water-flow are, on the whole real series.

.venv/bin/python bench/water_flow.py
"""

import itertools
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "examples" / "water-flow"), str(ROOT / "sdk" / "src")]

import judge  # noqa: E402
import predict  # noqa: E402
from app import WaterFlow, of_samples  # noqa: E402
from usual import THRESHOLD, compare  # noqa: E402

from ovd import Context, Samples, Series  # noqa: E402
from ovd_saas.domain import gate  # noqa: E402
from ovd_saas.wiring import demo_hours  # noqa: E402

FEED = ROOT / "examples" / "water-flow" / "feed"

SPLITS = (0.4, 0.6, 0.8)  # learn on the hours before; judge on the next fifth
SEGMENTS = (
    ("2022-03-24T07:00Z", "2022-03-25T01:00Z"),
    ("2022-03-29T06:00Z", "2022-03-29T20:00Z"),
    ("2022-04-03T04:00Z", "2022-04-03T05:00Z"),
    ("2022-04-27T13:00Z", "2022-04-28T05:00Z"),
)  # river tells of four segments, not their hours: these were read from the plotted series


def main() -> None:
    """Prints all tables."""
    rows = [row for name in ("1-march", "2-april", "3-april", "4-may-not-fed") for row in delivered(name)]
    print(f"{len(rows)} hours, {rows[0]['time']} to {rows[-1]['time']}; Python {platform.python_version()}\n")
    forecasts(rows)
    by_lead(rows)
    life()
    week_ahead(rows)
    flags(rows)
    timings(rows)


def context() -> Context:
    return Context(scratch=lambda: Path(tempfile.mkdtemp()))


def learned(rows: list[dict]) -> Path:
    """The folder of a model."""
    target = Path(tempfile.mkdtemp())
    WaterFlow().learn(context(), Samples(rows), None, target)
    return target


def metrics(rows: list[dict], model: Path | None) -> dict[str, float]:
    application = WaterFlow()
    application.setup(model)
    return application.evaluate(context(), Samples(rows)).metrics


def forecasts(rows: list[dict]) -> None:
    print("Forecasts of 24 hours from every hour, errors in l/s over ordinary hours; interval of 90 %")
    print(
        "learned from  judged on  forecasts  MAE naive  MAE model  skill   coverage naive, model   width naive, model"
    )
    for split in SPLITS:
        first, last = int(len(rows) * split), int(len(rows) * (split + 0.2))
        unseen = rows[first:last]
        naive, model = metrics(unseen, None), metrics(unseen, learned(rows[:first]))
        print(
            f"{first:8} h {len(unseen):10} h {naive['forecasts']:10.0f} {naive['mae']:10.3f} {model['mae']:10.3f}"
            f" {model['skill']:7.1%} {naive['coverage']:12.1%} {model['coverage']:10.1%}"
            f" {naive['width']:14.2f} {model['width']:8.2f}"
        )
    print()


def by_lead(rows: list[dict]) -> None:
    print("By lead, last split: MAE in l/s (naive, model) and coverage of the 90 % interval (model)")
    first = int(len(rows) * SPLITS[-1])
    model = predict.load(learned(rows[:first]))
    hours = of_samples(Samples(rows[first:]))
    errors: dict[int, list[tuple[float, float, bool]]] = defaultdict(list)
    for end in range(48, len(hours)):
        if hours.values[end - 1] is None:
            continue
        past = hours.until(end).last(judge.HISTORY)
        if sum(value is not None for value in past.values) < 24:
            continue
        usual = compare(past, threshold=THRESHOLD, learned=None)
        naive = predict.predict(past, usual, horizon=24, level=90, model=None)
        better = predict.predict(past, usual, horizon=24, level=90, model=model)
        for lead, value in enumerate(hours.values[end : end + 24]):
            if value is not None:
                inside = better.lower[lead] <= value <= better.upper[lead]
                errors[lead + 1].append((abs(value - naive.values[lead]), abs(value - better.values[lead]), inside))
    for lead in (1, 2, 3, 6, 12, 18, 24):
        one, other, held = zip(*errors[lead], strict=True)
        print(f"{lead:4} h {statistics.fmean(one):8.3f} {statistics.fmean(other):8.3f} {statistics.fmean(held):8.1%}")
    print()


def delivered(name: str) -> list[dict]:
    return [json.loads(line) for line in (FEED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def life() -> None:
    print("The life in the demo: what the gate says, and the errors on hours that none has seen")
    march, april, spare, late = map(delivered, ("1-march", "2-april", "3-april-spare-meter", "3-april"))
    flows = demo_hours.read(FEED, ("1-march", "2-april", "3-april", "4-may-not-fed"))
    naive = demo_hours.seasonal_naive(flows)[0]
    folder = FEED.parent
    rule = gate.rule_of(tomllib.loads((folder / "ovd.toml").read_text(encoding="utf-8"))["gate"])
    active, name = None, "no model"
    for number, fed in enumerate((march, march + april, march + april + spare, march + april + late), start=1):
        held = round(0.2 * len(fed))
        model = learned(fed[:-held])
        ours, theirs = (judged(fed[-held:], one) for one in (model, active))
        verdict = gate.judge(
            rule, candidate=ours, active=theirs, size=60_000, active_name=name
        )  # fmt: skip
        error, hours = demo_hours.error(flows, demo_hours.by_archive(folder, model))
        print(f"  version {number}, {len(fed) - held} hours: {error:.4f} l/s over {hours} hours, naive {naive:.4f}")
        print(f"    {verdict.sentence}")
        if verdict.passed:
            active, name = model, f"version {number}"
    print()


def judged(rows: list[dict], model: Path | None) -> gate.Assessment:
    application = WaterFlow()
    application.setup(model)
    found = application.evaluate(context(), Samples(rows))
    return gate.Assessment(found.metrics, found.scores, execution_seconds=0.0)


def week_ahead(rows: list[dict]) -> None:
    print("A week ahead, from every 6th hour after 60 % of the series: MAE in l/s by day (naive, model)")
    split = int(len(rows) * 0.6)
    model = predict.load(learned(rows[:split]))
    everything = of_samples(Samples(rows))
    start = sum(
        everything.time(index) < datetime.fromisoformat(rows[split]["time"]) for index in range(len(everything))
    )
    ordinary = compare(everything, threshold=THRESHOLD, learned=None).flags
    errors: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for end in range(start, len(everything), 6):
        if everything.values[end - 1] is None:
            continue
        past = everything.until(end).last(judge.HISTORY)
        usual = compare(past, threshold=THRESHOLD, learned=model.usual)
        naive = predict.predict(past, usual, horizon=168, level=90, model=None)
        better = predict.predict(past, usual, horizon=168, level=90, model=model)
        for lead, value in enumerate(everything.values[end : end + 168]):
            if value is not None and not ordinary[end + lead]:
                errors[lead // 24 + 1].append((abs(value - naive.values[lead]), abs(value - better.values[lead])))
    for day in sorted(errors):
        one, other = zip(*errors[day], strict=True)
        print(f"  day {day}: {statistics.fmean(one):.3f} {statistics.fmean(other):.3f}")
    print()


def flags(rows: list[dict]) -> None:
    print("Anomalous hours in the whole series, against the hours of the four segments")
    hours = of_samples(Samples(rows))
    bounds = [tuple(map(datetime.fromisoformat, pair)) for pair in SEGMENTS]
    truth = [any(first <= hours.time(i) < end for first, end in bounds) for i in range(len(hours))]
    for threshold in (3, 4, 6, 8, 12, 20):
        found = compare(hours, threshold=threshold, learned=None).flags
        both = sum(a and b for a, b in zip(found, truth, strict=True))
        runs = sum(run for run, _ in itertools.groupby(found))
        print(
            f"  threshold {threshold:2}: {sum(found):3} hours in {runs} runs flagged;"
            f" precision {both / max(1, sum(found)):.2f}, recall {both / sum(truth):.2f}"
        )
    print("As they happen: each hour judged with the two weeks up to it only, threshold 8")
    seen = [
        (compare(hours.until(i + 1).last(judge.HISTORY), threshold=THRESHOLD, learned=None).flags[-1], truth[i])
        for i in range(48, len(hours))
        if hours.values[i] is not None
    ]
    both = sum(flag and true for flag, true in seen)
    flagged = sum(flag for flag, _ in seen)
    print(f"  precision {both / flagged:.2f}, recall {both / sum(true for _, true in seen):.2f} of {flagged} flagged\n")


def timings(rows: list[dict]) -> None:
    def took(work) -> float:  # type: ignore[no-untyped-def]
        times = []
        for _ in range(5):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1000

    model, application = learned(rows), WaterFlow()
    application.setup(model)
    history = Series([datetime.fromisoformat(row["time"]) for row in rows], [row["flow"] for row in rows])
    environment = {
        "PYTHONPATH": f"{ROOT / 'sdk' / 'src'}:{ROOT / 'examples' / 'water-flow'}",
        "PYTHONPYCACHEPREFIX": tempfile.mkdtemp(),  # compiled by the first run, as the platform compiles at build
        "OPENBLAS_NUM_THREADS": "1",
    }
    print("Timings, medians of 5")
    for name, code in (("does nothing", "pass"), ("imports app", "import app"), ("imports numpy", "import numpy")):
        start = [sys.executable, "-c", code]
        spent = took(lambda start=start: subprocess.run(start, check=True, env=environment))  # type: ignore[misc]
        print(f"  python that {name:17} {spent:7.0f} ms")
    print(f"  setup with a model            {took(lambda: application.setup(model)):7.1f} ms")
    for count in (336, len(rows)):
        part = Series(history.times[-count:], history.values[-count:])
        seconds = took(lambda part=part: application.execute(context(), part, 24, 90, 8.0))  # type: ignore[misc]
        print(f"  execute with {count:4} hours       {seconds:7.1f} ms")
    print(f"  learn from {len(rows)} hours         {took(lambda: learned(rows)):7.0f} ms")
    files = sum(path.stat().st_size for path in model.iterdir())
    print(f"  files of a model              {files // 1024:7} KiB")


if __name__ == "__main__":
    main()
