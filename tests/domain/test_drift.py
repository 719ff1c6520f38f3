"""Drift: whether the latest samples still look like those that were learned from."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import drift, profiles
from ovd_saas.domain.drift import Reading, Rule

Rows = list[dict[str, Any]]


def rows(
    seed: int, count: int, *, mean: float = 0.0, deviation: float = 1.0, north: float = 0.5, gone: float = 0.0
) -> Rows:
    generator = np.random.default_rng(seed)
    made = zip(generator.normal(mean, deviation, count), generator.random(count), generator.random(count), strict=True)
    return [
        {"flow": None if third < gone else float(first), "side": "north" if second < north else "south"}
        for first, second, third in made
    ]


REFERENCE = rows(1, 2000)


def read(window: Rows, rule: Rule | None = None, reference: Rows = REFERENCE) -> Reading:
    profile = profiles.profile(reference, profiles.kinds(None, (), reference))
    codes = profiles.encode(profile, window)
    return drift.read(rule or Rule(), profile, codes, len(window), learner="version 3")


def drifting(reading: Reading) -> list[str]:
    return [name for name, found in reading.fields.items() if found["is_drifting"]]


@given(st.integers(0, 1000), st.floats(-1, 1), st.randoms())
@settings(max_examples=30, deadline=None)
def test_the_order_inside_the_window_does_not_matter(seed: int, mean: float, shuffler: random.Random) -> None:
    window = rows(seed, 100, mean=mean)
    before = read(window)
    shuffler.shuffle(window)
    assert read(window) == before


@pytest.mark.parametrize("count", [20, 66, 500])
def test_what_comes_from_the_same_source_is_next_to_never_drift(count: int) -> None:
    looks = [read(rows(seed + 1000, count, gone=0.05), reference=rows(seed, 500, gone=0.05)) for seed in range(100)]
    assert sum(reading.is_drifting for reading in looks) <= 1


@pytest.mark.parametrize("way", [1, -1])
def test_a_shifted_number_is_named_with_measures_and_limits(way: int) -> None:
    reading = read(rows(2, 500, mean=way * 1.0))
    assert reading.is_drifting and drifting(reading) == ["flow"]
    assert set(reading.fields["flow"]["measures"]) == {"psi", "ks", "missing"}
    assert reading.fields["flow"]["measures"]["ks"] == pytest.approx(0.38, abs=0.06)  # 2Φ(½) − 1
    assert reading.fields["flow"]["limits"]["ks"] == 0.2
    assert reading.sentence.startswith("Drift in flow (psi ")
    assert reading.sentence.endswith("the last 500 samples differ from those that version 3 learned from.")


def test_a_change_of_spread_alone_is_found() -> None:
    assert drifting(read(rows(2, 500, deviation=2))) == ["flow"]


def test_another_mix_of_categories_is_found_also_a_new_one() -> None:
    assert drifting(read(rows(2, 500, north=0.75))) == ["side"]
    new = [{**row, "side": "west"} if at % 5 == 0 else row for at, row in enumerate(rows(2, 500))]
    assert drifting(read(new)) == ["side"]


def test_values_that_go_missing_are_found_and_those_that_come_back_are_not() -> None:
    assert drifting(read(rows(2, 500, gone=0.3))) == ["flow"]
    assert drifting(read(rows(2, 500), reference=rows(1, 2000, gone=0.3))) == []


def test_a_field_that_stopped_altogether_is_found() -> None:
    reading = read([{"side": row["side"]} for row in rows(2, 100)])
    assert drifting(reading) == ["flow"] and reading.fields["flow"]["measures"] == {"missing": 1.0}


@pytest.mark.parametrize("value", [4.0, 6.0])
def test_a_constant_that_became_another_one_is_found(value: float) -> None:
    reading = read([{"x": value}] * 50, reference=[{"x": 5.0}] * 50)
    assert drifting(reading) == ["x"]
    assert not read([{"x": 5.0}] * 50, reference=[{"x": 5.0}] * 50).is_drifting


def test_few_samples_widen_the_limits() -> None:
    few, many = read(rows(2, 30)), read(rows(2, 500))
    assert few.fields["flow"]["limits"]["ks"] > many.fields["flow"]["limits"]["ks"] == 0.2
    assert few.fields["flow"]["limits"]["psi"] > many.fields["flow"]["limits"]["psi"] == 0.25


def test_too_few_samples_say_nothing() -> None:
    reading = read(rows(2, 19, mean=99))
    assert not reading.is_drifting and reading.fields == {}
    assert reading.sentence == "19 samples have arrived since version 3 learned; 20 are needed to compare."
    assert "Version 3 learned from 10 samples" in read(rows(2, 500), reference=rows(1, 10)).sentence


def test_a_limit_of_nought_is_not_looked_at() -> None:
    reading = read(rows(2, 500, mean=5.0, gone=0.9), Rule(psi=0, ks=0, missing=0))
    assert not reading.is_drifting and reading.fields["flow"]["measures"] == {}


def walk(seed: int, count: int, memory: float, mean: float = 0.0) -> Rows:
    generator, values = np.random.default_rng(seed), [0.0]
    for noise in generator.normal(0, (1 - memory**2) ** 0.5, count - 1):
        values.append(memory * values[-1] + noise)
    return [{"flow": value + mean} for value in values]


def test_a_slow_wave_is_not_taken_for_drift_but_a_leap_out_of_it_is() -> None:
    reference = walk(1, 2000, 0.95)
    assert sum(read(walk(seed, 500, 0.95), reference=reference).is_drifting for seed in range(2, 42)) <= 1
    assert read(walk(2, 500, 0.95, mean=6.0), reference=reference).is_drifting


def test_an_even_ramp_that_leaps_is_found_although_its_neighbours_are_all_alike() -> None:
    reading = read([{"x": 5 + at / 100} for at in range(100)], reference=[{"x": at / 100} for at in range(100)])
    assert drifting(reading) == ["x"]


def test_no_drift_says_how_much_was_looked_at() -> None:
    assert read(rows(2, 500)).sentence == (
        "No drift: the last 500 samples look like those that version 3 learned from (2 fields watched)."
    )
    assert "No field can be watched" in read([{"x": [1]}] * 30, reference=[{"x": [1]}] * 30).sentence


def test_many_drifting_fields_are_counted() -> None:
    names = [f"x{at}" for at in range(6)]
    reading = read([dict.fromkeys(names, 9.0)] * 50, reference=[dict.fromkeys(names, 1.0)] * 50)
    assert "and 3 more: the last 50 samples" in reading.sentence


def test_the_rule_is_read_from_the_manifest() -> None:
    assert drift.rule_of(None) is None
    assert drift.rule_of({}) == Rule()
    table = {"window": 50, "fields": ["flow"], "js": 0, "learn": True, "cooldown": 60}
    assert drift.rule_of(table) == Rule(window=50, fields=("flow",), js=0)
