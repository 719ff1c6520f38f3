"""Profiles: what the values of each field of a set of samples look like, in a few kilobytes. Floor 0: pure.

A profile cuts the values of a field into numbered cells and counts what fell into each. Later samples are reduced to
the numbers of their cells (`encode`), one byte each, so that a window of any length is small and can slide.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NUMBER = "number"  # compared by value
CATEGORY = "category"  # compared by the mix of values
PRESENCE = "presence"  # only whether there is a value

MOST_FIELDS = 64  # of one application
MOST_EDGES = 100  # of a number: two neighbours are a hundredth of the reference apart
MOST_VALUES = 50  # of a category; the rarer ones are one cell together
LONGEST_VALUE = 100  # characters of a category's value
TIMES_SEEN = 5  # on average, for texts to be categories
CHANCE_MEMORY = 3  # standard errors below which a resemblance of neighbours is held for chance
MISSING = 255  # the cell of a value that is missing, null or of another kind
WAYS = {"number": NUMBER, "integer": NUMBER, "choice": CATEGORY, "boolean": CATEGORY, "text": CATEGORY}

Row = Mapping[str, Any]  # one sample


@dataclass(frozen=True)
class FieldProfile:
    """One field. Cells of a number with edges e0 < e1 …: 0 below e0, 1 equal to e0, 2 between e0 and e1, 3 equal to
    e1 …; of a category: the place of the value, after the last one all others; of a presence: 0."""

    kind: str  # as the schema calls it: number, integer, choice, boolean, text …
    way: str  # NUMBER, CATEGORY or PRESENCE
    marks: tuple[Any, ...]  # the edges, or the values
    counts: tuple[int, ...]  # of the reference, per cell
    missing: int  # of the reference
    memory: float = 0.0  # 0..1: how much a value resembles the one before it; 0: not at all

    @property
    def present(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True)
class Profile:
    samples: int  # it is made of
    fields: dict[str, FieldProfile]


def kinds(sample_schema: Mapping[str, Any] | None, chosen: Sequence[str], rows: Sequence[Row]) -> dict[str, str]:
    """The fields to watch with their kinds: those chosen, or all numbers, choices, booleans and texts; by the schema
    of a sample, or without one by the values in `rows`. At most MOST_FIELDS, the first ones."""
    properties = (sample_schema or {}).get("properties")
    if properties:
        hints = {name: prop.get("x-ovd") or {} for name, prop in properties.items()}
        ordered = sorted(hints, key=lambda name: hints[name].get("order", 0))
        declared = {name: str(hints[name].get("kind") or "value") for name in ordered}
    else:
        declared = _seen(rows)
    if chosen:
        found = {name: declared.get(name, "value") for name in chosen}
    else:
        found = {name: kind for name, kind in declared.items() if kind in WAYS}
    return dict(list(found.items())[:MOST_FIELDS])


def profile(rows: Sequence[Row], watched: Mapping[str, str], follows: Sequence[bool] | None = None) -> Profile:
    """The profile of these samples in the fields that are watched. `follows` says of each whether it arrived directly
    after the one before it in `rows`; None: all did."""
    columns = {name: [row.get(name) for row in rows] for name in watched}
    fields = {name: _field(kind, columns[name], follows or [True] * len(rows)) for name, kind in watched.items()}
    return Profile(len(rows), fields)


def encode(profile: Profile, rows: Sequence[Row]) -> dict[str, bytes]:
    """For each field the cells of these samples, one byte a sample."""
    return {name: _codes(field, [row.get(name) for row in rows]) for name, field in profile.fields.items()}


def tally(field: FieldProfile, codes: bytes) -> tuple[list[int], int]:
    """How many fell into each cell, and how many are missing."""
    counts = Counter(codes)
    return [counts[cell] for cell in range(len(field.counts))], counts[MISSING]


def to_json(profile: Profile) -> dict[str, Any]:
    """A profile as JSON."""
    fields = {
        name: {
            "kind": field.kind,
            "way": field.way,
            "marks": list(field.marks),
            "counts": list(field.counts),
            "missing": field.missing,
            "memory": round(field.memory, 4),
        }
        for name, field in profile.fields.items()
    }
    return {"samples": profile.samples, "fields": fields, "order": list(profile.fields)}


def from_json(document: Mapping[str, Any]) -> Profile:
    """The profile that became this JSON."""
    fields = document["fields"]
    made = {
        name: FieldProfile(
            kind=fields[name]["kind"],
            way=fields[name]["way"],
            marks=tuple(fields[name]["marks"]),
            counts=tuple(fields[name]["counts"]),
            missing=fields[name]["missing"],
            memory=fields[name]["memory"],
        )
        for name in document["order"]
    }
    return Profile(document["samples"], made)


def _seen(rows: Iterable[Row]) -> dict[str, str]:
    """Fields of samples without a schema, in order of appearance, with the kind that all their values have."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None and _can_be_kept(name) and (name in found or len(found) < 10 * MOST_FIELDS):
                found.setdefault(name, set()).add(_kind(value))
    return {name: seen.pop() if len(seen) == 1 else "value" for name, seen in found.items()}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "value"


def _field(kind: str, values: Sequence[Any], follows: Sequence[bool]) -> FieldProfile:
    way = WAYS.get(kind, PRESENCE)
    marks: tuple[Any, ...] = ()
    if way == NUMBER:
        marks = _edges([value for value in values if _is_number(value)])
    elif way == CATEGORY:
        marks = _common([value for value in values if value is not None], kind)
    if not marks:
        way = PRESENCE
    cells = {NUMBER: 2 * len(marks) + 1, CATEGORY: len(marks) + 1, PRESENCE: 1}[way]
    bare = FieldProfile(kind, way, marks, (0,) * cells, 0)
    codes = _codes(bare, values)
    counts, missing = tally(bare, codes)
    return FieldProfile(kind, way, marks, tuple(counts), missing, _memory(way, codes, follows))


def _memory(way: str, codes: bytes, follows: Sequence[bool]) -> float:
    """The correlation of a value with the one before it: of the ranks of numbers (their cells are quantiles); else of
    being equal, (P(same) - P(same by chance)) / (1 - P(same by chance)). 0 when chance explains it."""
    import numpy as np

    cells = np.frombuffer(codes, dtype=np.uint8)
    place = np.flatnonzero(np.asarray(follows[1:], dtype=bool)) + 1
    if way == NUMBER:
        place = place[(cells[place] != MISSING) & (cells[place - 1] != MISSING)]
    before, after = cells[place - 1].astype(float), cells[place].astype(float)
    if len(place) < 2 or before.min() == before.max() or after.min() == after.max():
        return 0.0
    if way == NUMBER:
        found = float(np.corrcoef(before, after)[0, 1])
    else:
        by_chance = float(sum((count / len(cells)) ** 2 for count in Counter(codes).values()))
        found = (float((before == after).mean()) - by_chance) / (1 - by_chance)
    return min(1.0, found) if found > CHANCE_MEMORY / len(place) ** 0.5 else 0.0


def _edges(values: list[float]) -> tuple[float, ...]:
    """Quantiles that are values of the reference; fewer where values repeat."""
    import numpy as np  # here, as the idle platform does without it

    if not values:
        return ()
    cuts = np.quantile(np.asarray(values, dtype=float), np.linspace(0, 1, MOST_EDGES), method="closest_observation")
    return tuple(float(cut) for cut in np.unique(cuts))


def _common(values: list[Any], kind: str) -> tuple[Any, ...]:
    """The values of a category, the most frequent first; none for texts that are rather sentences or names."""
    if any(isinstance(value, list | dict) or not _can_be_kept(str(value)) for value in values):
        return ()
    seen = Counter(_key(value) for value in values)
    if kind == "text" and (len(seen) > MOST_VALUES or len(seen) * TIMES_SEEN > len(values)):
        return ()
    ranked = sorted(seen, key=lambda key: (-seen[key], key))
    return tuple(json.loads(key) for key in ranked[:MOST_VALUES])


def _codes(field: FieldProfile, values: Sequence[Any]) -> bytes:
    if field.way == PRESENCE:
        return bytes(MISSING if value is None else 0 for value in values)
    if field.way == NUMBER:
        return _number_codes(field.marks, values)
    places = {_key(mark): place for place, mark in enumerate(field.marks)}
    others = len(field.marks)
    return bytes(MISSING if value is None else places.get(_key(value), others) for value in values)


def _number_codes(edges: Sequence[float], values: Sequence[Any]) -> bytes:
    """Two binary searches: edges below the value, and edges up to it, are together the number of its cell."""
    import numpy as np

    numbers = np.asarray([value if _is_number(value) else np.nan for value in values], dtype=float)
    marks = np.asarray(edges, dtype=float)
    cells = np.searchsorted(marks, numbers, "left") + np.searchsorted(marks, numbers, "right")
    return np.where(np.isnan(numbers), MISSING, cells).astype(np.uint8).tobytes()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e308


def _can_be_kept(text: str) -> bool:
    """PostgreSQL's JSON has no null character, UTF-8 no half of a surrogate pair."""
    return len(text) <= LONGEST_VALUE and text.isprintable()


def _key(value: Any) -> str:
    """Tells true from 1, which Python holds for equal."""
    return json.dumps(value, sort_keys=True)
