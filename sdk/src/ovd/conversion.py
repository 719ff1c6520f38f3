"""Conversion: values between their JSON form and what an author's code gets and gives."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ovd.app import Failed, OutputError, Outputs
from ovd.data import File, Image, Series, Table
from ovd.fields import FILE_KINDS, REQUIRED, Field
from ovd.nearest import did_you_mean
from ovd.schema import canonical_outputs
from ovd.values import parse_moment, write_moment


class InputError(Failed):
    """The inputs of an execution do not fit the application; whoever sent them had not checked them."""


def inputs(fields: Tuple[Field, ...], given: Mapping[str, Any], files: Mapping[str, Path]) -> Dict[str, Any]:
    """The arguments of `execute`. A file is `{"file": key of files, "name", "media_type"}`. Raises
    InputError."""
    found: Dict[str, Any] = {}
    for field in fields:
        if field.name not in given:
            if field.is_required:
                raise InputError(f'Input "{field.name}" is missing.')
            found[field.name] = _to_author(field, None if field.default is REQUIRED else field.default, files)
            continue
        try:
            found[field.name] = _to_author(field, given[field.name], files)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f'Input "{field.name}" is not a {field.kind}: {error}') from None
    if len(given) > len(fields) or not found.keys() >= given.keys():
        unknown = next(name for name in given if name not in found)
        raise InputError(f'"{unknown}" is not an input.{did_you_mean(unknown, found)}')
    return found


def _to_author(field: Field, value: Any, files: Mapping[str, Path]) -> Any:
    kind = field.kind
    if value is None:
        return None
    if kind == "series":
        return Series([parse_moment(time) for time in value["times"]], value["values"])
    if kind == "table":
        return Table(value["columns"], value["rows"])
    if kind in FILE_KINDS:
        if value["file"] not in files:
            raise ValueError(f"the file {value['file']!r} did not arrive.")
        path, name = files[value["file"]], value.get("name") or "file"
        if kind == "image":
            return Image(path, value.get("media_type"), name)
        return File(path, name, value.get("media_type"))
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def named(result: Any, is_single: bool) -> Dict[str, Any]:
    """What `execute` returned or yielded, as outputs by name. Raises OutputError."""
    if isinstance(result, Outputs):
        return result.given()
    if is_single:
        return {"result": result}
    if isinstance(result, dict):
        return {str(name): value for name, value in result.items()}
    raise OutputError(f"execute returned {type(result).__name__}; it must return what its signature says.")


def outputs(
    kinds: Mapping[str, Field], document: Dict[str, Any], given: Mapping[str, Any], *, partial: bool
) -> Tuple[Dict[str, Any], List[File]]:
    """The outputs in canonical JSON form, and the files among them: each file output is
    `{"file": place in the list, "name", "media_type", "size"}`. Raises OutputError naming every wrong output."""
    files: List[File] = []
    plain: Dict[str, Any] = {}
    faults: List[str] = []
    for name, value in given.items():
        field = kinds.get(name)
        if field is None:
            faults.append(f'Output "{name}" is not declared.{did_you_mean(name, kinds)}')
            continue
        try:
            plain[name] = _from_author(field, value, files)
        except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
            faults.append(f'Output "{name}" {error}')
    made, errors = canonical_outputs(document, plain, partial=partial)
    told = {fault.split('"')[1] for fault in faults}
    faults += [f'Output "{error.field}" {error.message}' for error in errors if error.field not in told]
    if faults:
        raise OutputError(" ".join(faults))
    return made, files


def _from_author(field: Field, value: Any, files: List[File]) -> Any:
    if value is None:
        return None
    return _WRITERS[field.kind](value, files)


def _scalar(value: Any, files: Optional[List[File]] = None) -> Any:
    """A plain value out of a scalar of numpy or torch, which have `item`."""
    if type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):
        return str(value)
    item: Optional[Callable[[], Any]] = getattr(value, "item", None)
    if item is not None and callable(item):
        return item()
    return value


def _series(value: Any, files: List[File]) -> Dict[str, Any]:
    if isinstance(value, Series):
        times, values = [_time(time) for time in value.times], value.values
    elif isinstance(value, dict):
        return value
    else:
        times, values = [], _list(value)
    plain = [_scalar(item) for item in values]
    for place, item in enumerate(plain, start=1):
        if isinstance(item, float) and math.isnan(item):
            raise ValueError(f"has NaN (not a number) as value {place}; use None for a gap.")
    return {"times": times, "values": plain}


def _time(time: Any) -> str:
    if not isinstance(time, datetime):
        raise ValueError(f"has {type(time).__name__} as a time; use datetime.")
    return write_moment(time)


def _table(value: Any, files: List[File]) -> Any:
    if isinstance(value, Table):
        return {"columns": value.columns, "rows": [[_scalar(cell) for cell in row] for row in value.rows]}
    if isinstance(value, list):
        rows = [{str(name): _scalar(cell) for name, cell in row.items()} for row in value]
        return rows
    return value


def _list(value: Any) -> List[Any]:
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else list(value)


def _file(value: Any, files: List[File]) -> Dict[str, Any]:
    if isinstance(value, (str, Path)):
        value = File(value)
    if not isinstance(value, File):
        raise ValueError(f"must be an Image, a File or a path, not {type(value).__name__}.")
    if not value.path.is_file():
        raise ValueError(f"names the file {value.path.name!r}, which does not exist.")
    files.append(value)
    return {"file": len(files) - 1, "name": value.name, "media_type": value.media_type, "size": value.size}


def _image(value: Any, files: List[File]) -> Dict[str, Any]:
    made = _file(value, files)
    if not made["media_type"].startswith("image/"):
        raise ValueError(f"is {made['media_type']}, not an image.")
    return made


_WRITERS: Dict[str, Callable[[Any, List[File]], Any]] = {
    "number": _scalar,
    "integer": _scalar,
    "boolean": _scalar,
    "text": _scalar,
    "choice": _scalar,
    "series": _series,
    "table": _table,
    "image": _image,
    "file": _file,
}
