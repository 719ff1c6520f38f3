"""Demo, the hours: the real series, and the error of forecasts on hours that no version has learned from. Floor 4.

The error is one number that anybody can recompute from the series and the archives of the versions: every midnight (on
the clock of the data) from FIRST on, the 24 hours that follow are forecast from the measured hours of the 14 days
before; the mean of |measured − forecast| over all measured hours, in l/s. Each hour is forecast once.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from ovd import testing

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
HISTORY = 14 * DAY
FIRST = datetime.fromisoformat("2022-05-01T00:00:00+02:00")
DEFINITION = (
    f"Mean absolute error in l/s over the measured hours from {FIRST:%d %B %Y} on, which no version has learned from: "
    "every midnight the next 24 hours are forecast from the 14 days before."
)

Flows = dict[datetime, float]  # l/s by the beginning of the hour
Forecast = Callable[[dict[str, Any]], Mapping[str, Any]]  # inputs of an execution → its outputs in JSON


def read(feed: Path, names: tuple[str, ...]) -> Flows:
    """The hours of these deliveries, in order of time."""
    flows: Flows = {}
    for name in names:
        for line in (feed / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            hour = json.loads(line)
            flows[datetime.fromisoformat(hour["time"])] = hour["flow"]
    return dict(sorted(flows.items()))


def series(flows: Flows) -> dict[str, Any]:
    """As the input of an execution."""
    return {"times": [time.isoformat() for time in flows], "values": list(flows.values())}


def midnights(flows: Flows) -> Iterator[datetime]:
    """Every midnight from FIRST on that has measured hours behind it."""
    midnight = FIRST
    while midnight <= max(flows):
        yield midnight
        midnight += DAY


def inputs(flows: Flows, midnight: datetime) -> dict[str, Any]:
    """What is asked at a midnight. The forecast begins after the last measured hour, so it may have to be longer."""
    history = {time: flow for time, flow in flows.items() if midnight - HISTORY <= time < midnight}
    missing = int((midnight - max(history)) / HOUR) - 1
    return {"history": series(history), "horizon": 24 + missing}


def error(flows: Flows, forecast: Forecast) -> tuple[float, int]:
    """The error of DEFINITION, and over how many hours."""
    misses = []
    for midnight in midnights(flows):
        line = forecast(inputs(flows, midnight))["forecast"]
        told = dict(zip(map(datetime.fromisoformat, line["times"]), line["values"], strict=True))
        coming = (midnight + lead * HOUR for lead in range(24))
        misses += [abs(flows[time] - told[time]) for time in coming if time in flows]
    return fmean(misses), len(misses)


def seasonal_naive(flows: Flows) -> tuple[float, int]:
    """The error when each hour repeats the last measured one at the same hour of the day, known at midnight."""
    misses = []
    for midnight in midnights(flows):
        for time in (midnight + lead * HOUR for lead in range(24)):
            if time in flows:
                before = time - DAY
                while before not in flows:
                    before -= DAY
                misses.append(abs(flows[time] - flows[before]))
    return fmean(misses), len(misses)


def by_archive(folder: Path, model: Path | None) -> Forecast:
    """Executes the application in `folder` here, with the unpacked archive of a version; None: without a model."""

    def forecast(inputs: dict[str, Any]) -> Mapping[str, Any]:
        outcome = testing.run(folder, inputs, model=model)
        if not outcome.succeeded:
            raise ValueError(f"The execution {outcome.status}: {outcome.message}")
        return outcome.outputs

    return forecast
