"""Uploads: files as inputs, inline or as a part of the request, judged by their first bytes and their
size."""

import base64
import binascii
import csv
import io
import json
import math
from typing import Any, Dict, List, NamedTuple, Tuple
from urllib.parse import unquote_to_bytes

from ovd import sniff
from ovd.values import called


class FileHead(NamedTuple):
    """A file that was delivered: enough of it to judge."""

    name: str
    media_type: str  # as the client declared it
    size: int  # bytes
    head: bytes  # its first 4096 bytes, or all of it


def check(prop: Dict[str, Any], head: FileHead) -> str:
    """The media type of an acceptable file. Raises ValueError with what is wrong."""
    limit = prop["x-ovd"].get("max_bytes")
    if limit is not None and head.size > limit:
        raise ValueError(f"{over(head.size, limit)}. Send a smaller file, or ask the author to raise it.")
    if head.size == 0:
        raise ValueError("the file is empty.")
    allowed = prop["x-ovd"].get("media_types") or ()
    if prop["x-ovd"]["kind"] == "image":
        return _image(allowed, head)
    proved = sniff.recognise(head.head)
    found = proved or head.media_type.split(";")[0].strip().lower() or "application/octet-stream"
    if allowed and not any(_matches(found, pattern) for pattern in allowed):
        raise ValueError(f"{_file(head)} is {found}; send {_either(allowed)}.")
    if found.startswith("text/") and not sniff.is_text(head.head):
        raise ValueError(f"{_file(head)} is said to be {found} but is not text in UTF-8.")
    return found


def _image(allowed: Any, head: FileHead) -> str:
    proved = sniff.recognise(head.head)
    if proved is None or not proved.startswith("image/"):
        found = proved or ("a text" if sniff.is_text(head.head) else "not a known kind of image")
        raise ValueError(f"{_file(head)} is no image: it is {found}. Send {_either(allowed or ('image/png',))}.")
    if allowed and not any(_matches(proved, pattern) for pattern in allowed):
        raise ValueError(f"{_file(head)} is {proved}; send {_either(allowed)}.")
    return proved


def _matches(media_type: str, pattern: str) -> bool:
    return media_type == pattern or (pattern.endswith("/*") and media_type.startswith(pattern[:-1]))


def _file(head: FileHead) -> str:
    return f"the file {head.name!r}" if head.name else "the file"


def _either(names: Any) -> str:
    names = [name[6:].upper() if name.startswith("image/") and name != "image/*" else name for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def size(count: float) -> str:
    """Bytes for a person, in decimal units, such as 41 MB; a limit of 20 MiB reads 21 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if count >= 10 or count == int(count) else f"{count:.1f} {unit}"


def over(count: int, limit: int) -> str:
    """The begin of a sentence; two sizes that read the same are told in bytes."""
    if size(count) == size(limit):
        return f"{count} bytes is over the limit of {limit} bytes"
    return f"{size(count)} is over the limit of {size(limit)}"


def inline(value: Any) -> Tuple[Dict[str, Any], bytes]:
    """A file inside a request (a `data:` URI, or `{"name", "media_type", "data": base64}`) as its canonical
    object
    and its bytes. Raises ValueError with what is wrong."""
    if isinstance(value, str) and value.startswith("data:"):
        media_type, contents = _data_uri(value)
        name = ""
    elif isinstance(value, dict) and isinstance(value.get("data"), str):
        unknown = sorted(set(value) - {"name", "media_type", "data", "size"})
        if unknown:
            raise ValueError(f'has an unknown part "{unknown[0]}"; a file has name, media_type and data.')
        media_type, name = value.get("media_type", ""), value.get("name", "")
        if not isinstance(media_type, str) or not isinstance(name, str):
            raise ValueError("has a name or media_type that is not a text.")
        contents = _base64(value["data"])
    else:
        raise ValueError(
            "must be a file: a part of a multipart request, a data: URI, "
            f'or {{"name", "media_type", "data": base64}}, not {called(value)}.'
        )
    name = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\x00", "")[:255] or "file"
    data = base64.b64encode(contents).decode()
    return {"name": name, "media_type": media_type, "size": len(contents), "data": data}, contents


def _data_uri(value: str) -> Tuple[str, bytes]:
    about, comma, data = value[5:].partition(",")
    if not comma:
        raise ValueError("is a data: URI without a comma.")
    if about.endswith(";base64"):
        return about[:-7].split(";")[0], _base64(data)
    return about.split(";")[0], unquote_to_bytes(data)


def _base64(data: str) -> bytes:
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("holds data that is not base64.") from None


def parse(kind: str, data: bytes, media_type: str) -> Any:
    """A table or series from an uploaded CSV or JSON file, in its JSON form. Raises ValueError with a clear
    message."""
    if kind not in ("table", "series"):
        raise ValueError(f"a {kind} is not parsed from a file.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not text in UTF-8 (byte {error.start}). Save it as CSV in UTF-8.") from None
    if "json" in media_type or text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the file is not JSON: {error}.") from None
    columns, rows = _csv(text)
    return _series(columns, rows) if kind == "series" else {"columns": columns, "rows": _typed(rows, len(columns))}


def _csv(text: str) -> Tuple[List[str], List[List[str]]]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if line]
    except csv.Error as error:
        raise ValueError(f"the file is not CSV: {error}.") from None
    if not lines:
        raise ValueError("the file has no header line.")
    columns = [name.strip() for name in lines[0]]
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(columns):
            raise ValueError(f"record {number} of the CSV has {len(line)} cells; the header has {len(columns)}.")
    return columns, lines[1:]


def _typed(rows: List[List[str]], width: int) -> List[List[Any]]:
    """Cells as numbers in the columns that hold only numbers; an empty cell is None."""
    places = [_column([row[place].strip() for row in rows]) for place in range(width)]
    return [[places[place][number] for place in range(width)] for number in range(len(rows))]


def _column(cells: List[str]) -> List[Any]:
    try:
        return [None if cell == "" else _number(cell) for cell in cells]
    except ValueError:
        return [None if cell == "" else cell for cell in cells]


def _number(cell: str) -> float:
    if "_" in cell:  # Python reads 1_000 as a number; CSV does not
        raise ValueError("not a number")
    try:
        return int(cell)
    except ValueError:
        value = float(cell)
        if not math.isfinite(value):
            raise ValueError("not finite") from None
        return value


def _series(columns: List[str], rows: List[List[str]]) -> Dict[str, Any]:
    if len(columns) not in (1, 2):
        raise ValueError(f"a series has a column of times and one of values; the CSV has {len(columns)} columns.")
    values: List[Any] = []
    for number, row in enumerate(rows, start=2):
        cell = row[-1].strip()
        if cell.lower() in ("", "nan", "null", "na"):
            values.append(None)
            continue
        try:
            values.append(_number(cell))
        except ValueError:
            raise ValueError(f"record {number} of the CSV has {cell!r} as its value, which is no number.") from None
    return {"times": [row[0].strip() for row in rows] if len(columns) == 2 else [], "values": values}
