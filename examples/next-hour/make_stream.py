"""Make stream: turns the series of examples/water-flow into samples for this application, one for each hour.

python make_stream.py > stream.jsonl               all hours that have the four values before them
python make_stream.py 1-march 2-april > some.jsonl only these deliveries
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

FEED = Path(__file__).parents[1] / "water-flow" / "feed"
ALL = ("1-march", "2-april", "3-april", "4-may-not-fed")
BEFORE = {"last_hour": 1, "two_hours_ago": 2, "a_day_ago": 24, "a_day_and_an_hour_ago": 25}  # hours


def stream(names: tuple[str, ...] = ALL) -> Iterator[dict[str, float]]:
    """The samples in order of time; hours whose values before are not all measured give none."""
    flows: dict[datetime, float] = {}
    for name in names:
        for line in (FEED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            hour = json.loads(line)
            flows[datetime.fromisoformat(hour["time"])] = hour["flow"]
    for time, flow in sorted(flows.items()):
        before = {name: flows.get(time - timedelta(hours=hours)) for name, hours in BEFORE.items()}
        known = {name: value for name, value in before.items() if value is not None}
        if len(known) == len(BEFORE):
            yield {**known, "flow": flow}


if __name__ == "__main__":
    for sample in stream(tuple(sys.argv[1:]) or ALL):
        print(json.dumps(sample))
