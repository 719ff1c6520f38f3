"""Profiles: what the values of a field look like, in cells."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import profiles
from ovd_saas.domain.profiles import CATEGORY, MISSING, NUMBER, PRESENCE, FieldProfile

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
samples = st.lists(st.dictionaries(st.sampled_from("abc"), anything, max_size=3), max_size=40)


def of(values: list[Any], kind: str = "number") -> FieldProfile:
    return profiles.profile([{"x": value} for value in values], {"x": kind}).fields["x"]


def cells(field: FieldProfile, *values: Any) -> list[int]:
    return list(
        profiles.encode(profiles.Profile(0, {"x": field}), [{} if value is ... else {"x": value} for value in values])[
            "x"
        ]
    )


@given(samples, samples)
@settings(deadline=None)
def test_any_samples_whatever_they_hold_fall_into_cells_one_each(
    rows: list[dict[str, Any]], later: list[dict[str, Any]]
) -> None:
    made = profiles.profile(rows, {**profiles.kinds(None, (), rows), "never": "value"})
    made = profiles.from_json(json.loads(json.dumps(profiles.to_json(made))))
    codes = profiles.encode(made, later)
    for name, field in made.fields.items():
        assert field.present + field.missing == len(rows)
        counted, missing = profiles.tally(field, codes[name])
        assert sum(counted) + missing == len(codes[name]) == len(later)


@given(samples, st.lists(samples, max_size=4))
@settings(deadline=None)
def test_batch_by_batch_gives_the_same_as_all_at_once(
    rows: list[dict[str, Any]], batches: list[list[dict[str, Any]]]
) -> None:
    made = profiles.profile(rows, profiles.kinds(None, (), rows))
    at_once = profiles.encode(made, [row for batch in batches for row in batch])
    for name, column in at_once.items():
        assert column == b"".join(profiles.encode(made, batch)[name] for batch in batches)


def test_a_number_falls_below_upon_or_between_the_edges() -> None:
    field = of([1.0, 2.0, 2.0, 3.0])
    assert (field.way, field.marks) == (NUMBER, (1.0, 2.0, 3.0))
    assert cells(field, 0, 1, 1.5, 2, 3, 99, None, ..., "2", True) == [0, 1, 2, 3, 5, 6, *[MISSING] * 4]


def test_a_number_has_at_most_a_hundred_edges_and_little_json() -> None:
    made = profiles.profile([{"x": value} for value in np.random.default_rng(0).normal(size=20_000)], {"x": "number"})
    assert 90 <= len(made.fields["x"].marks) <= profiles.MOST_EDGES
    assert len(json.dumps(profiles.to_json(made))) < 4_000


def test_true_is_not_one() -> None:
    assert cells(of([True, False] * 10, "choice"), True, 1, False) == [1, 2, 0]


def test_the_rarer_values_of_a_category_are_one_cell() -> None:
    field = of([f"common {at % 50}" for at in range(500)] + [f"rare {at}" for at in range(30)], "choice")
    assert len(field.marks) == profiles.MOST_VALUES and field.counts[-1] == 30
    assert cells(field, "rare 3", "never seen") == [50, 50]


@pytest.mark.parametrize(
    "values", [[f"remark {at}" for at in range(30)], ["x" * 101] * 30, ["a\x00b"] * 30, ["\ud800"] * 30]
)
def test_texts_that_are_no_categories_are_only_there_or_missing(values: list[str]) -> None:
    field = of(values, "text")
    assert (field.way, field.marks) == (PRESENCE, ())
    assert cells(field, "anything", None) == [0, MISSING]


def test_few_texts_are_categories() -> None:
    assert of(["north", "south"] * 10, "text").way == CATEGORY


def test_the_schema_says_what_is_watched_and_in_which_order() -> None:
    declared = {"when": "datetime", "flow": "number", "photo": "image", "ok": "boolean"}
    properties = {
        name: {"x-ovd": {"kind": kind, "order": order}} for order, (name, kind) in enumerate(declared.items())
    }
    schema = {"properties": dict(sorted(properties.items()))}
    assert profiles.kinds(schema, (), []) == {"flow": "number", "ok": "boolean"}
    assert profiles.kinds(schema, ("when", "flow"), []) == {"when": "datetime", "flow": "number"}


def test_without_a_schema_the_values_say_it() -> None:
    rows = [{"a": 1, "b": True, "c": "x", "d": None, "e": [1]}, {"a": 2.5, "d": None, "f": 1}, {"f": "1"}]
    assert profiles.kinds(None, (), rows) == {"a": "number", "b": "boolean", "c": "text"}
    assert len(profiles.kinds(None, (), [{f"x{at}": at for at in range(10_000)}])) == profiles.MOST_FIELDS


def remembering(memory: float, count: int = 3000) -> list[float]:
    generator, values = np.random.default_rng(3), [0.0]
    for noise in generator.normal(0, (1 - memory**2) ** 0.5, count):
        values.append(memory * values[-1] + noise)
    return values


@pytest.mark.parametrize("memory", [0.5, 0.9])
def test_values_that_resemble_the_one_before_are_noticed(memory: float) -> None:
    assert of(remembering(memory)).memory == pytest.approx(memory, abs=0.05)
    assert of(["high" if value > 0 else "low" for value in remembering(memory)], "choice").memory > 0.2
    assert of([None if value > 1 else value for value in remembering(memory)], "file").memory > 0.2


def test_chance_is_no_resemblance_and_strangers_are_no_neighbours() -> None:
    assert of(remembering(0)).memory == 0
    assert of([1.0] * 100).memory == 0
    rows = [{"x": value} for value in remembering(0.9)]
    assert profiles.profile(rows, {"x": "number"}, [False] * len(rows)).fields["x"].memory == 0
