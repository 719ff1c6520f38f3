"""Intake, the quick check: a sample schema as a type for msgspec. Floor 2.

It accepts only what `ovd.schema.accept_sample` accepts, too, though not all of that: what it does not know, or cannot
tell for sure, is left to the slow check (`intake_check`). tests/appcore/test_intake_types.py looks for a difference.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from itertools import repeat
from operator import attrgetter, is_
from typing import Annotated, Any, Literal

import msgspec

_EXACT = 2**53  # up to here every whole number is a float of its own
_INT64 = 2**63 - 1
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]", re.IGNORECASE)  # may spell the name of a field
_ESCAPED = re.compile(rb"\\u")
_FINE = re.compile(rb":\d\d\.\d{13}")  # a moment with more digits than the slow check takes

Property = dict[str, Any]


class Unknown(Exception):
    """This schema has something that only the slow check knows."""


class Quick:
    """The quick check of one schema, whose moments are all written with a time, or all as a date alone."""

    def __init__(self, properties: dict[str, Property], moment: type[date] = datetime) -> None:
        kinds = {**_KINDS, "datetime": lambda prop: moment}
        fields = [_field(place, name, prop, kinds) for place, (name, prop) in enumerate(properties.items())]
        kind = msgspec.defstruct("Sample", fields, forbid_unknown_fields=True, gc=False, kw_only=True,
                                 rename=_renamed(properties))  # fmt: skip
        self._decode = msgspec.json.Decoder(kind).decode
        self._names = [f'"{name}"'.encode() for name in properties]
        optional = {place: prop for place, prop in enumerate(properties.values()) if prop["x-ovd"].get("optional")}
        self._optional = [(attrgetter(f"f{place}"), place, _is_text(prop)) for place, prop in optional.items()]
        required = [prop for prop in properties.values() if not prop["x-ovd"].get("optional")]
        self._quotes = 2 * len(required) + 2 * sum(map(_is_text, required))  # of one sample, but for optional fields
        self._has_moments = any(prop["x-ovd"]["kind"] == "datetime" for prop in properties.values())
        self._suspicious = _ESCAPED_LETTER if all(name.isascii() for name in properties) else _ESCAPED

    def accepts(self, block: bytes, lines: list[bytes]) -> bool:
        """Whether each of these lines, which are those of the block, surely is a sample."""
        has_escapes = b"\\" in block
        if has_escapes and (rb"\u0000" in block or self._suspicious.search(block)):
            return False
        if self._has_moments and _FINE.search(block):
            return False
        try:
            samples = [*map(self._decode, lines)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return self._has_each_name_once(block, samples) if has_escapes else self._has_few_quotes(block, samples)

    def _has_few_quotes(self, block: bytes, samples: list[Any]) -> bool:
        """A name that stands twice in a sample, which decoding forgives, brings quotes that nothing else explains."""
        expected = self._quotes * len(samples)
        for get, _, is_text in self._optional:
            values = [*map(get, samples)]
            expected += 2 * (len(values) - _count(values, msgspec.UNSET))
            if is_text:
                expected += 2 * (len(values) - _count(values, msgspec.UNSET) - _count(values, None))
        return block.count(b'"') == expected

    def _has_each_name_once(self, block: bytes, samples: list[Any]) -> bool:
        """Where texts may hold quotes, too, names are counted: one that stands there more often may stand twice."""
        expected = [len(samples)] * len(self._names)
        for get, place, _ in self._optional:
            expected[place] -= _count([*map(get, samples)], msgspec.UNSET)
        return [block.count(name) for name in self._names] == expected


def quick(sample: dict[str, Any]) -> list[Quick]:
    """The quick checks of a schema; none when it has no fields, or kinds that need a closer look."""
    properties: dict[str, Property] = sample["properties"]
    has_moments = any(prop["x-ovd"]["kind"] == "datetime" for prop in properties.values())
    try:
        return [
            Quick(properties, moment) for moment in ((datetime, date) if has_moments else (datetime,)) if properties
        ]
    except (Unknown, TypeError, ValueError, re.error):
        return []


def _count(values: list[Any], item: Any) -> int:
    return sum(map(is_, values, repeat(item)))


def _is_text(prop: Property) -> bool:
    """Whether its values stand in quotes."""
    kind = prop["x-ovd"]["kind"]
    return kind in ("text", "datetime") or (kind == "choice" and isinstance(prop["enum"][0], str))


def _renamed(properties: dict[str, Property]) -> dict[str, str]:
    """Any text may name a field of JSON; attributes are called f0, f1 …"""
    return {f"f{place}": name for place, name in enumerate(properties)}


def _field(place: int, name: str, prop: Property, kinds: dict[str, Callable[[Property], Any]]) -> Any:
    if any(character in '"\\' or character < " " for character in name):
        raise Unknown(name)
    kind = kinds.get(prop["x-ovd"]["kind"])
    if kind is None:
        raise Unknown(name)
    if prop["x-ovd"].get("optional"):
        return (f"f{place}", kind(prop) | None | msgspec.UnsetType, msgspec.UNSET)
    return (f"f{place}", kind(prop))


def _number(prop: Property) -> Any:
    bounds = _bounds(prop, _EXACT)
    return Annotated[float, msgspec.Meta(**bounds)] if bounds else float


def _integer(prop: Property) -> Any:
    bounds = _bounds(prop, _INT64)
    if any(int(bound) != bound for bound in bounds.values()):
        raise Unknown
    bounds = {name: int(bound) for name, bound in bounds.items()}
    return Annotated[int, msgspec.Meta(**bounds)] if bounds else int


def _bounds(prop: Property, largest: int) -> dict[str, Any]:
    """As msgspec calls them. Beyond `largest` a comparison might be of rounded numbers."""
    named = {"ge": prop.get("minimum"), "le": prop.get("maximum")}
    found = {name: bound for name, bound in named.items() if bound is not None}
    if any(abs(bound) >= largest for bound in found.values()):
        raise Unknown
    return found


def _boolean(prop: Property) -> Any:
    return bool


def _text(prop: Property) -> Any:
    named = {"min_length": prop.get("minLength"), "max_length": prop.get("maxLength"), "pattern": prop.get("pattern")}
    rules: dict[str, Any] = {name: value for name, value in named.items() if value not in (None, "")}
    return Annotated[str, msgspec.Meta(**rules)] if rules else str


def _choice(prop: Property) -> Any:
    choices = tuple(prop["enum"])
    if not all(type(choice) is str for choice in choices) and not all(type(choice) is int for choice in choices):
        raise Unknown
    if any(type(choice) is int and abs(choice) > _INT64 for choice in choices):
        raise Unknown
    return Literal[choices]


def _series(prop: Property) -> Any:
    """The short form: a list of numbers, null for a gap."""
    if prop["x-ovd"].get("timed"):
        raise Unknown
    named = {"min_length": prop["x-ovd"].get("minimum_length"), "max_length": prop["x-ovd"].get("maximum_length")}
    rules: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return Annotated[list[float | None], msgspec.Meta(**rules)] if rules else list[float | None]


_KINDS: dict[str, Callable[[Property], Any]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "text": _text,
    "choice": _choice,
    "series": _series,
}
