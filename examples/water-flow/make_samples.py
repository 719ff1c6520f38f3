"""Make samples: cuts samples/ and feed/ out of the series that the package river ships.

uv run --no-project --with river==0.26.1 python make_samples.py            writes samples/*.json and feed/*.jsonl
uv run --no-project --with river==0.26.1 python make_samples.py --check    tells whether they are up to date
uv run --no-project --with river==0.26.1 python make_samples.py --feed hours.jsonl    all hours in one file
"""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from app import WaterFlow
from river import datasets
from usual import THRESHOLD

from ovd import Context, Series

SAMPLES = Path(__file__).parent / "samples"
FEED = Path(__file__).parent / "feed"
CREDIT = (
    "WaterFlow: hourly flow through a pipeline branch, donated by Tecnojest s.r.l. (www.invidea.it, Italy), "
    "from river.datasets in river 0.26.1, https://github.com/online-ml/river"
)
LICENCE = "BSD-3-Clause (river)"
CUTS = {
    "two-weeks": ("Two ordinary weeks in April", "2022-04-06T00:00", "2022-04-19T23:00", {"horizon": 48}),
    "interruption": ("Three weeks with two falls and a peak", "2022-03-20T11:00", "2022-04-09T23:00", {}),
    "gaps": ("Long gaps and a fall in April", "2022-04-16T00:00", "2022-04-28T12:00", {"level": 80}),
    "two-days": ("Just two days", "2022-05-06T00:00", "2022-05-07T23:00", {"horizon": 12}),
}  # name: title, first and last hour on the clock of the data, other inputs
DELIVERIES = {
    "1-march": ("2022-03-20", "2022-04-03"),
    "2-april": ("2022-04-03", "2022-04-17"),
    "3-april-spare-meter": ("2022-04-17", "2022-05-01"),
    "3-april": ("2022-04-17", "2022-05-01"),
    "4-may-not-fed": ("2022-05-01", "9999"),
}  # name: first day and the day after the last, on the clock of the data
SPARE_UNTIL = "2022-04-22"  # made up: until then a spare meter counted, in steps of 5 l/s
STEP = 5.0  # l/s


def read() -> list[tuple[str, float]]:
    """All measured hours, as the package gives them."""
    return [(row["Time"].isoformat(), flow) for row, flow in datasets.WaterFlow()]


def sample(name: str, hours: list[tuple[str, float]]) -> str:
    """The text of one sample file."""
    title, first, last, others = CUTS[name]
    cut = [(time, flow) for time, flow in hours if first <= time[: len(first)] <= last]
    inputs = {"history": {"times": [time for time, _ in cut], "values": [flow for _, flow in cut]}, **others}
    content = {
        "title": title,
        "credit": CREDIT,
        "licence": LICENCE,
        "inputs": inputs,
        "expect": expected(cut, others),
        "tolerance": 1e-6,
    }
    return json.dumps(content) + "\n"


def expected(cut: list[tuple[str, float]], others: dict[str, int]) -> dict[str, Any]:
    """What the application answers without a model: forecast, interval and anomalies, in JSON."""
    history = Series([datetime.fromisoformat(time) for time, _ in cut], [flow for _, flow in cut])
    inputs = {"horizon": 24, "level": 90, "threshold": THRESHOLD, **others}
    answer = WaterFlow().execute(Context(scratch=Path), history, **inputs)
    lines = {
        name: {"times": [time.isoformat() for time in line.times], "values": line.values}
        for name, line in (("forecast", answer.forecast), ("lower", answer.lower), ("upper", answer.upper))
    }
    return {**lines, "anomalies": {"columns": answer.anomalies.columns, "rows": answer.anomalies.rows}}


def delivery(name: str, hours: list[tuple[str, float]]) -> str:
    """The text of one file in feed/: JSON Lines for the intake."""
    first, end = DELIVERIES[name]
    cut = [(time, flow) for time, flow in hours if first <= time < end]
    if name.endswith("spare-meter"):
        cut = [(time, STEP * round(flow / STEP) if time < SPARE_UNTIL else flow) for time, flow in cut]
    return lines(cut)


def lines(hours: list[tuple[str, float]]) -> str:
    """JSON Lines, one sample for each hour."""
    return "".join(json.dumps({"time": time, "flow": flow}) + "\n" for time, flow in hours)


def main() -> int:
    """Writes or checks the samples, or writes the hours to learn from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a sample differs")
    parser.add_argument("--feed", metavar="FILE", help="write all hours as JSON Lines instead")
    parser.add_argument("--before", metavar="DATE", default="9999", help="with --feed: only hours before this date")
    parser.add_argument("--since", metavar="DATE", default="0000", help="with --feed: only hours from this date on")
    asked = parser.parse_args()
    hours = read()
    if asked.feed:
        chosen = [(time, flow) for time, flow in hours if asked.since <= time < asked.before]
        Path(asked.feed).write_text(lines(chosen), encoding="utf-8")
        print(f"{len(chosen)} hours written to {asked.feed}")
        return 0
    files = {SAMPLES / f"{name}.json": sample(name, hours) for name in CUTS}
    files |= {FEED / f"{name}.jsonl": delivery(name, hours) for name in DELIVERIES}
    stale = []
    for path, text in files.items():
        if asked.check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: {len(text) // 1024} KiB")
    if stale:
        print(f"Out of date: {', '.join(stale)}. Run this script without --check.")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
