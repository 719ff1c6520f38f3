"""Rows: the samples of a learning run out of a file of JSON Lines, each read when it is asked for."""

import functools
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Union, overload

from ovd import values
from ovd.app import Failed
from ovd.data import File, Image, Series, Table
from ovd.fields import FILE_KINDS
from ovd.lines import Lines
from ovd.nearest import did_you_mean

Row = Dict[str, Any]
_decode = json.JSONDecoder().decode


class Rows(Sequence[Row]):
    """What `lines` hold, by the schema of a sample; every declared field is there, None where it is optional and was
    not given. `files` are the files that samples refer to, by digest.

    Reading raises Failed for a line that does not fit: it arrived when the application declared something else.
    """

    def __init__(
        self, lines: Lines, schema: Dict[str, Any], files: Mapping[str, Path], places: "range | None" = None
    ) -> None:
        self._lines = lines
        self._schema = schema
        self._properties: Dict[str, Any] = schema["properties"]
        self._files = files
        self._readers = {name: _reader(prop, files) for name, prop in self._properties.items()}
        self._places = range(len(lines)) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> "Rows": ...
    def __getitem__(self, place: Union[int, slice]) -> "Union[Row, Rows]":
        if isinstance(place, slice):
            return Rows(self._lines, self._schema, self._files, self._places[place])
        try:
            return self._row(self._places[place])
        except IndexError:
            raise IndexError(f"There is no sample {place}; there are {len(self)}.") from None

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._places)

    def column(self, name: str) -> List[Any]:
        """The field `name` of every row, None where it is absent. Raises KeyError when there is no such field."""
        if not self._properties:
            return self._undeclared(name)
        if name not in self._properties:
            raise KeyError(f"Samples have no field {name!r}.{did_you_mean(name, self._properties)}")
        return [self._value(name, self._parsed(place), place) for place in self._places]

    def _undeclared(self, name: str) -> List[Any]:
        found, is_there = [], not self._places
        for place in self._places:
            parsed = self._parsed(place)
            is_there = is_there or name in parsed
            found.append(parsed.get(name))
        if not is_there:
            raise KeyError(f"No sample has a field {name!r}.")
        return found

    def _row(self, place: int) -> Row:
        parsed = self._parsed(place)
        if not self._readers:
            return parsed
        return {name: self._value(name, parsed, place) for name in self._readers}

    def _parsed(self, place: int) -> Row:
        try:
            parsed = _decode(self._lines[place].decode())
        except ValueError as error:
            raise Failed(f"Sample {place + 1} is not JSON: {error}.") from None
        except RecursionError:
            raise Failed(f"Sample {place + 1} is nested too deeply.") from None
        if not isinstance(parsed, dict):
            raise Failed(f"Sample {place + 1} is {values.called(parsed)}, not an object.")
        return parsed

    def _value(self, name: str, parsed: Row, place: int) -> Any:
        value = parsed.get(name)
        if value is None:
            if self._properties[name]["x-ovd"].get("optional"):
                return None
            fault = "is null" if name in parsed else "is missing"
            raise Failed(f'Sample {place + 1}: "{name}" {fault}. {_CURE}')
        try:
            return self._readers[name](value)
        except ValueError as error:
            raise Failed(f'Sample {place + 1}: "{name}" {error} {_CURE}') from None


_CURE = "Declare the fields so that the samples that arrived earlier fit too, or have their batch taken down."


# A value was judged when it arrived; what is asked here is whether it still is of the kind that is declared now.


def _reader(prop: Dict[str, Any], files: Mapping[str, Path]) -> Callable[[Any], Any]:
    kind = prop["x-ovd"]["kind"]
    if kind in FILE_KINDS:
        return functools.partial(_file, kind, files)
    return _READERS.get(kind) or functools.partial(values.canonical, prop)


def _number(value: Any) -> float:
    return value if type(value) is float else float(values.number(_PLAIN, value))


def _text(value: Any) -> str:
    return value if type(value) is str else values.text(_PLAIN, value)


def _moment(value: Any) -> datetime:
    if type(value) is str:
        try:
            return values.parse_instant(value)
        except ValueError:
            pass  # the next line says it better
    return values.parse_instant(values.instant(_PLAIN, value))


def _series(value: Any) -> Series:
    found = values.series(_PLAIN, value)
    return Series([values.parse_moment(time) for time in found["times"]], found["values"])


def _table(value: Any) -> Table:
    found = values.table(_PLAIN, value)
    return Table(found["columns"], found["rows"])


def _file(kind: str, files: Mapping[str, Path], value: Any) -> File:
    if not isinstance(value, dict) or not isinstance(value.get("digest"), str):
        raise ValueError(f"must be a file, not {values.called(value)}.")
    path = files.get(value["digest"])
    if path is None:
        raise ValueError("is a file that did not arrive.")
    name, media_type = str(value.get("name") or "file"), value.get("media_type")
    return Image(path, media_type, name) if kind == "image" else File(path, name, media_type)


_PLAIN: Dict[str, Any] = {"x-ovd": {}}  # no bounds
_READERS: Dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "integer": functools.partial(values.integer, _PLAIN),
    "text": _text,
    "datetime": _moment,
    "series": _series,
    "table": _table,
}
