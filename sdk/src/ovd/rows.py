"""Rows: the samples of a learning run out of a file of JSON Lines, each read when it is asked for."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Union, overload

from ovd import values
from ovd.app import Failed
from ovd.data import File, Image, Series, Table
from ovd.fields import FILE_KINDS
from ovd.lines import Lines
from ovd.nearest import did_you_mean

Row = Dict[str, Any]


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
        if not self._properties:
            return parsed
        return {name: self._value(name, parsed, place) for name in self._properties}

    def _parsed(self, place: int) -> Row:
        try:
            parsed = json.loads(self._lines[place].decode())
        except ValueError as error:
            raise Failed(f"Sample {place + 1} is not JSON: {error}.") from None
        except RecursionError:
            raise Failed(f"Sample {place + 1} is nested too deeply.") from None
        if not isinstance(parsed, dict):
            raise Failed(f"Sample {place + 1} is {values.called(parsed)}, not an object.")
        return parsed

    def _value(self, name: str, parsed: Row, place: int) -> Any:
        prop = self._properties[name]
        value = parsed.get(name)
        if value is None:
            if prop["x-ovd"].get("optional"):
                return None
            fault = "is null" if name in parsed else "is missing"
            raise Failed(f'Sample {place + 1}: "{name}" {fault}. {_CURE}')
        kind = prop["x-ovd"]["kind"]
        try:
            if kind in FILE_KINDS:
                return self._file(kind, value)
            value = values.canonical(prop, value)
        except ValueError as error:
            raise Failed(f'Sample {place + 1}: "{name}" {error} {_CURE}') from None
        convert = _CONVERTED.get(kind)
        return value if convert is None else convert(value)

    def _file(self, kind: str, value: Any) -> File:
        if not isinstance(value, dict) or not isinstance(value.get("digest"), str):
            raise ValueError(f"must be a file, not {values.called(value)}.")
        path = self._files.get(value["digest"])
        if path is None:
            raise ValueError("is a file that did not arrive.")
        name, media_type = str(value.get("name") or "file"), value.get("media_type")
        return Image(path, media_type, name) if kind == "image" else File(path, name, media_type)


_CURE = "Declare the fields so that the samples that arrived earlier fit too, or have their batch taken down."
_CONVERTED: Dict[str, Callable[[Any], Any]] = {
    "number": float,
    "datetime": values.parse_instant,
    "series": lambda value: Series([values.parse_moment(time) for time in value["times"]], value["values"]),
    "table": lambda value: Table(value["columns"], value["rows"]),
}
