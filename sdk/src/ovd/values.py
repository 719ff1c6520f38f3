"""Values: one input or output in its JSON form, checked against its property of the schema and made
canonical.

Every function takes (property of the schema, value) and returns the canonical value; what is wrong is a ValueError
whose message ends the sentence that began with the name of the field.
"""

import math
import re
import sys
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Callable, Dict, List

Property = Dict[str, Any]
_LARGEST = int(sys.float_info.max)


def canonical(prop: Property, value: Any) -> Any:
    """The canonical JSON form of `value`. Raises ValueError with what is wrong."""
    return _KINDS[prop["x-ovd"]["kind"]](prop, value)


def number(prop: Property, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number, not {called(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"is {_not_finite(value)}; give a finite number.")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("is beyond the range of numbers, which ends at 1.8e308.")
    _within(prop, value)
    return value


def integer(prop: Property, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {called(value)}.")
    _within(prop, value)
    return value


def boolean(prop: Property, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {called(value)}.")
    return value


def text(prop: Property, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {called(value)}.")
    _storable(value)
    least, most = prop.get("minLength"), prop.get("maxLength")
    if least is not None and len(value) < least:
        raise ValueError(f"has {_count(len(value), 'character')}; the least is {least}.")
    if most is not None and len(value) > most:
        raise ValueError(f"has {_count(len(value), 'character')}; the most is {most}.")
    pattern = prop.get("pattern")
    if pattern and _compiled(pattern).search(value) is None:
        raise ValueError(f"does not match the pattern {pattern}")
    return value


def choice(prop: Property, value: Any) -> Any:
    for known in prop["enum"]:
        if known == value and isinstance(known, bool) == isinstance(value, bool):
            return known
    shown = ", ".join(str(known) for known in prop["enum"][:20])
    raise ValueError(f"is {called(value)}; it must be one of {shown}.")


def series(prop: Property, value: Any) -> Dict[str, Any]:
    if isinstance(value, list):
        if prop["x-ovd"].get("timed"):
            raise ValueError('needs its times: send {"times": […], "values": […]}.')
        value = {"times": [], "values": value}
    if not isinstance(value, dict):
        raise ValueError(f'must be {{"times": […], "values": […]}} or a list of numbers, not {called(value)}.')
    _only(value, ("times", "values"))
    times, values = value["times"], value["values"]
    for place, item in enumerate(values):
        if item is None:
            continue
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            raise ValueError(f"has {called(item)} as value {place + 1}; a value is a number, or null for a gap.")
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"has {_not_finite(item)} as value {place + 1}; a gap is null.")
    _length(prop, len(values), "value")
    if times and len(times) != len(values):
        raise ValueError(f"has {len(times)} times for {len(values)} values; give one time for each value.")
    if not times and values and prop["x-ovd"].get("timed"):
        raise ValueError("has no times; give one time for each value.")
    return {"times": [moment(item, f"as time {place + 1}") for place, item in enumerate(times)], "values": values}


def table(prop: Property, value: Any) -> Dict[str, Any]:
    if isinstance(value, list):
        value = _from_records(value)
    if not isinstance(value, dict):
        raise ValueError(f'must be {{"columns": […], "rows": […]}} or a list of objects, not {called(value)}.')
    _only(value, ("columns", "rows"))
    columns, rows = value["columns"], value["rows"]
    for name in columns:
        if not isinstance(name, str):
            raise ValueError(f"has {called(name)} as the name of a column; a name is a text.")
        _storable(name)
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(f'has two columns "{twice}".')
    missing = [name for name in prop["x-ovd"].get("columns", ()) if name not in columns]
    if missing:
        raise ValueError(f"lacks {_listed('column', missing)}; it has {', '.join(columns) or 'none'}.")
    _length(prop, len(rows), "row")
    for place, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            raise ValueError(f"has {called(row)} as row {place}; a row is a list of cells.")
        if len(row) != len(columns):
            raise ValueError(f"has {_count(len(row), 'cell')} in row {place} for {_count(len(columns), 'column')}.")
        for name, cell in zip(columns, row):
            _cell(cell, f'in row {place}, column "{name}"')
    return {"columns": columns, "rows": rows}


def instant(prop: Property, value: Any) -> str:
    """RFC 3339 text of one moment, in the offset it was given in; without one it is UTC, which the result then says."""
    if not isinstance(value, str):
        raise ValueError(f"must be a moment such as 2022-03-01T00:00:00Z, not {called(value)}.")
    try:
        if _INSTANT.fullmatch(value) is None:
            raise ValueError
        return write_moment(parse_instant(value))
    except ValueError:
        raise ValueError(f"is {called(value)}; a moment is written such as 2022-03-01T00:00:00Z.") from None


_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,12}))?)?(?:([Zz])|([+-])(\d\d):?([0-5]\d))?)?",
    re.ASCII,
)


def parse_instant(value: str) -> datetime:
    """The same moment under every version of Python; digits beyond microseconds are cut off. Raises ValueError."""
    try:
        return parse_moment(value)  # quick, but older versions of Python know fewer forms
    except ValueError:
        found = _INSTANT.fullmatch(value)
    if found is None:
        raise ValueError("not a moment")
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    zone = timezone.utc
    if sign:
        zone = timezone((1 if sign == "+" else -1) * timedelta(hours=int(hours), minutes=int(minutes)))
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    return datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, zone
    )


def moment(value: Any, place: str) -> str:
    """RFC 3339 text of a moment; one without a zone is taken as UTC, which the result then says."""
    if not isinstance(value, str):
        raise ValueError(f"has {called(value)} {place}; a time is a text such as 2022-03-01T00:00:00Z.")
    try:
        parsed = parse_moment(value)
    except ValueError:
        shown = value if len(value) <= 40 else value[:39] + "…"
        raise ValueError(f"has {shown!r} {place}; a time is written such as 2022-03-01T00:00:00Z.") from None
    return value if value.endswith("Z") and len(value) > 10 else write_moment(parsed)


def parse_moment(value: str) -> datetime:
    """A moment with its zone. Raises ValueError."""
    parsed = datetime.fromisoformat(value[:-1] + "+00:00" if value[-1:] in ("Z", "z") else value)
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=timezone.utc)


def write_moment(value: datetime) -> str:
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value.isoformat().replace("+00:00", "Z")


def called(value: Any) -> str:
    """What a value is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "the text " + (repr(value) if len(value) <= 40 else repr(value[:39] + "…"))
    if isinstance(value, (int, float)):
        return f"the number {value}"[:60]
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else type(value).__name__


def _only(value: Dict[str, Any], keys: "tuple[str, str]") -> None:
    for key in keys:
        if not isinstance(value.get(key), list):
            raise ValueError(f'needs a list under "{key}".')
    for key in value:
        if key not in keys:
            raise ValueError(f'has an unknown part "{key}"; it has {keys[0]} and {keys[1]}.')


def _from_records(records: List[Any]) -> Dict[str, Any]:
    columns: Dict[str, None] = {}
    for place, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise ValueError(f"has {called(record)} as row {place}; in a list, each row is an object.")
        columns.update(dict.fromkeys(record))
    return {"columns": list(columns), "rows": [[record.get(name) for name in columns] for record in records]}


def _cell(cell: Any, place: str) -> None:
    if isinstance(cell, str):
        try:
            _storable(cell)
        except ValueError as error:
            raise ValueError(f"{error} It is {place}.") from None
    elif isinstance(cell, float) and not math.isfinite(cell):
        raise ValueError(f"has {_not_finite(cell)} {place}; an empty cell is null.")
    elif cell is not None and not isinstance(cell, (int, float)):
        raise ValueError(f"has {called(cell)} {place}; a cell is a text, a number, true, false or null.")


def _storable(value: str) -> None:
    if "\x00" in value:
        raise ValueError("contains a null character, which cannot be stored.")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("contains half of a surrogate pair, which is not a character.") from None


def _within(prop: Property, value: float) -> None:
    least, most = prop.get("minimum"), prop.get("maximum")
    unit = f" {prop['x-ovd']['unit']}" if prop["x-ovd"].get("unit") else ""
    if least is not None and value < least:
        raise ValueError(f"is {_short(value)}{unit}; the least is {_short(least)}{unit}.")
    if most is not None and value > most:
        raise ValueError(f"is {_short(value)}{unit}; the most is {_short(most)}{unit}.")


def _length(prop: Property, length: int, of: str) -> None:
    least, most = prop["x-ovd"].get("minimum_length"), prop["x-ovd"].get("maximum_length")
    if least is not None and length < least:
        raise ValueError(f"has {_count(length, of)}; the least is {least}.")
    if most is not None and length > most:
        raise ValueError(f"has {_count(length, of)}; the most is {most}.")


def _short(value: float) -> str:
    if isinstance(value, int) and abs(value) > 10**15:
        return "a number beyond 10^15" if value > 0 else "a number below -10^15"
    return str(value)


def _count(count: int, of: str) -> str:
    return f"{count} {of}" if count == 1 else f"{count} {of}s"


def _listed(of: str, names: List[str]) -> str:
    return f"the {of}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _not_finite(value: float) -> str:
    return "NaN (not a number)" if math.isnan(value) else "infinite"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern)


def _no_file(prop: Property, value: Any) -> Any:
    raise ValueError(f"must be a file, not {called(value)}.")


_KINDS: Dict[str, Callable[[Property, Any], Any]] = {
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "text": text,
    "choice": choice,
    "series": series,
    "table": table,
    "image": _no_file,
    "file": _no_file,
    "datetime": instant,
}
