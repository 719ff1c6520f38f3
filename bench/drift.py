"""How soon drift is found, and how often where there is none, on synthetic streams with fixed seeds. Prints Markdown.

    .venv/bin/python bench/drift.py [--repetitions 200] [--reference 2000] [--window 500] [--every 25]

No platform: what is measured is `domain/drift.py` with the limits that a manifest has when it names none. Each
repetition draws a reference, then samples of the same source that fill the window twice, then those of the changed
source; it is looked every so many samples. The delay is the number of changed samples until the first look that says
drift. Without a change, an alarm in any look is false; the length is that of ten windows, at least 5,000 samples.
"""

import argparse
import dataclasses
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from ovd_saas.domain import drift, profiles

Draw = Callable[[np.random.Generator, int], Mapping[str, Any]]  # so many values of each field
FOLLOWED = 10  # windows that are followed after a change, or without one


@dataclasses.dataclass(frozen=True)
class Stream:
    name: str
    usual: Draw
    changed: Draw | None = None  # None: nothing changes


def normal(mean: float = 0.0, deviation: float = 1.0) -> Draw:
    return lambda generator, count: {"x": generator.normal(mean, deviation, count)}


def gradual(end: float, over: int) -> Draw:
    def draw(generator: np.random.Generator, count: int) -> Mapping[str, Any]:
        return {"x": generator.normal(0, 1, count) + np.minimum(np.arange(count) / over, 1) * end}

    return draw


def skewed(factor: float) -> Draw:
    return lambda generator, count: {"x": generator.lognormal(0, 1, count) * factor}


def mix(*shares: float) -> Draw:
    def draw(generator: np.random.Generator, count: int) -> Mapping[str, Any]:
        return {"x": generator.choice(list("abcdefghij")[: len(shares)], count, p=shares)}

    return draw


def gone(share: float, end: float | None = None, over: int = 1) -> Draw:
    """Missing with this share; with `end`, rising to that one."""

    def draw(generator: np.random.Generator, count: int) -> Mapping[str, Any]:
        shares = share + np.minimum(np.arange(count) / over, 1) * ((end if end is not None else share) - share)
        values = generator.normal(0, 1, count)
        return {"x": np.where(generator.random(count) < shares, np.nan, values)}

    return draw


def many(generator: np.random.Generator, count: int) -> Mapping[str, Any]:
    """Ten fields: seven numbers, some of them missing sometimes, and three categories."""
    numbers = {f"n{at}": gone(0.03 * at)(generator, count)["x"] for at in range(7)}
    return {**numbers, **{f"c{at}": mix(0.5, 0.3, 0.2)(generator, count)["x"] for at in range(3)}}


def remembering(memory: float) -> Draw:
    """Each value resembles the one before: the samples are not independent, as the bounds suppose."""

    def draw(generator: np.random.Generator, count: int) -> Mapping[str, Any]:
        noise = generator.normal(0, np.sqrt(1 - memory**2), count)
        values = np.empty(count)
        last = generator.normal()
        for at in range(count):
            values[at] = last = memory * last + noise[at]
        return {"x": values}

    return draw


STREAMS = (
    Stream("nothing changes: one number", normal()),
    Stream("nothing changes: a skewed number", skewed(1)),
    Stream("nothing changes: a category of five", mix(0.4, 0.3, 0.15, 0.1, 0.05)),
    Stream("nothing changes: 10 % missing", gone(0.1)),
    Stream("nothing changes: ten fields", many),
    Stream("nothing changes: each value resembles the last (0.9)", remembering(0.9)),
    Stream("nothing changes: each value resembles the last (0.99)", remembering(0.99)),
    Stream("mean rises by 0.25 deviations", normal(), normal(0.25)),
    Stream("mean rises by 0.5", normal(), normal(0.5)),
    Stream("mean rises by 1", normal(), normal(1.0)),
    Stream("mean rises by 2", normal(), normal(2.0)),
    Stream("mean rises by 1, slowly over 2,000 samples", normal(), gradual(1.0, 2000)),
    Stream("deviation grows by half", normal(), normal(0, 1.5)),
    Stream("deviation doubles", normal(), normal(0, 2.0)),
    Stream("deviation halves", normal(), normal(0, 0.5)),
    Stream("a skewed number doubles", skewed(1), skewed(2)),
    Stream("category: 50/30/20 becomes 40/30/30", mix(0.5, 0.3, 0.2), mix(0.4, 0.3, 0.3)),
    Stream("category: 50/30/20 becomes 20/30/50", mix(0.5, 0.3, 0.2), mix(0.2, 0.3, 0.5)),
    Stream("category: a new value takes 10 %", mix(0.5, 0.3, 0.2), mix(0.45, 0.27, 0.18, 0.1)),
    Stream("missing: 0 becomes 10 %", gone(0), gone(0.1)),
    Stream("missing: 0 becomes 20 %", gone(0), gone(0.2)),
    Stream("missing: 5 % rises to 50 % over 2,000 samples", gone(0.05), gone(0.05, 0.5, 2000)),
)


def rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = {name: [_plain(value) for value in column.tolist()] for name, column in values.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    return None if value != value else value


def followed(stream: Stream, chosen: argparse.Namespace, repetition: int) -> tuple[int | None, int, int]:
    """Samples until the first alarm, None if there was none; then how many looks there were, and said drift."""
    generator = np.random.default_rng([repetition, STREAMS.index(stream)])
    rule = drift.Rule(window=chosen.window)
    before, after = 2 * rule.window, max(FOLLOWED * rule.window, 0 if stream.changed else 5000)
    made = rows(stream.usual(generator, chosen.reference + before + (0 if stream.changed else after)))
    reference, later = made[: chosen.reference], made[chosen.reference :]
    if stream.changed is not None:
        later += rows(stream.changed(generator, after))
    profile = profiles.profile(reference, profiles.kinds(None, (), reference))
    codes = profiles.encode(profile, later)
    first, looks, alarms = None, 0, 0
    for end in range(before + chosen.every, len(later) + 1, chosen.every):
        window = {name: column[end - rule.window : end] for name, column in codes.items()}
        looks += 1
        if drift.read(rule, profile, window, rule.window, learner="version 1").is_drifting:
            alarms += 1
            first = end - before if first is None else first
            if stream.changed is not None:
                break
    return first, looks, alarms


def line(stream: Stream, chosen: argparse.Namespace) -> str:
    found = [followed(stream, chosen, repetition) for repetition in range(chosen.repetitions)]
    delays = sorted(first for first, _, _ in found if first is not None)
    share = f"{100 * len(delays) / len(found):.0f} %"
    if stream.changed is None:
        looks, alarms = sum(looks for _, looks, _ in found), sum(alarms for _, _, alarms in found)
        return f"| {stream.name} | {share} | {1000 * alarms / looks:.1f} |"
    if not delays:
        return f"| {stream.name} | {share} | – | – |"
    last = delays[min(len(delays) - 1, int(0.9 * len(delays)))]
    return f"| {stream.name} | {share} | {statistics.median(delays):.0f} | {last} |"


def table(chosen: argparse.Namespace, streams: tuple[Stream, ...] = STREAMS) -> list[str]:
    """The lines of both tables, as Markdown."""
    quiet = [stream for stream in streams if stream.changed is None]
    changing = [stream for stream in streams if stream.changed is not None]
    return [
        "| stream | repetitions with a false alarm | looks that say drift, of 1,000 |",
        "|---|---|---|",
        *(line(stream, chosen) for stream in quiet),
        "",
        "| change | found | samples until found, median | 9 of 10 |",
        "|---|---|---|---|",
        *(line(stream, chosen) for stream in changing),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--reference", type=int, default=2000)
    parser.add_argument("--window", type=int, default=500)
    parser.add_argument("--every", type=int, default=25)
    chosen = parser.parse_args()
    print(
        f"Window of {chosen.window} samples, reference of {chosen.reference:,}, a look every {chosen.every} samples, "
        f"{chosen.repetitions} repetitions.\n"
    )
    print("\n".join(table(chosen)))


if __name__ == "__main__":
    main()
