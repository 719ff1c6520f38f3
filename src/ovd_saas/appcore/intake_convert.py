"""Intake, the converter: CSV or Parquet in, JSON Lines out; a process of its own, so that what strangers sent meets no
parser inside the platform. Floor 2: no Django, and nothing of the platform but the cells.

    python -I -m ovd_saas.appcore.intake_convert csv|parquet FD   < file

`FD` holds the JSON Schema of a sample. Lines of the output: `{…}` a sample; `@N` where the next one stands;
`!N [[field, message], …]` what is wrong there; `#"…"` nothing can be read, and why; at last `.`.
"""

import csv
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from ovd.nearest import did_you_mean
from ovd_saas.appcore import intake_cells

LARGEST_MEMORY = 2 << 30  # bytes of address space; the libraries take some of it
LONGEST_SECONDS = 900  # of a processor
LONGEST_LINE = 16 << 20  # bytes
MOST_COLUMNS = 10_000
ROWS = 1024  # of Parquet that are in memory at once
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def _iso(value: Any) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise TypeError


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=_iso).encode


class Unreadable(Exception):
    """The file is not what it is said to be; the message is a sentence."""


class Lines:
    """The output: samples in order, and where they stand."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._next = 1

    def sample(self, place: int, sample: dict[str, Any]) -> None:
        line = _encode(sample).encode("utf-8", "surrogatepass") + b"\n"
        if place != self._next:
            self._out.write(b"@%d\n" % place)
        self._next = place + 1
        self._out.write(line)

    def fault(self, place: int, *errors: tuple[str, str]) -> None:
        self._out.write(b"!%d %s\n" % (place, json.dumps(errors).encode()))

    def end(self, unreadable: str = "") -> None:
        if unreadable:
            self._out.write(b"#%s\n" % json.dumps(unreadable).encode())
        self._out.write(b".\n")
        self._out.flush()


def from_csv(file: BinaryIO, properties: dict[str, Any], lines: Lines) -> None:
    """RFC 4180 with a header; the separator is the one of comma, semicolon and tab that the header has most of."""
    csv.field_size_limit(LONGEST_LINE)
    texts = _texts(file)
    first = next(texts, "")
    if not first.strip():
        raise Unreadable("The file has no header: its first line names the fields.")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(_chained(first, texts), delimiter=separator, strict=True)
    place = 1
    try:
        names = [name.strip() for name in next(reader)]
        if _header_fits(names, properties, lines):
            place = reader.line_num + 1
            for cells in reader:
                if cells:
                    _record(place, names, cells, properties, lines)
                place = reader.line_num + 1
    except csv.Error as error:
        lines.fault(place, ("", f"is not CSV: {error}."))


def _texts(file: BinaryIO) -> Iterator[str]:
    number = 0
    while raw := file.readline(LONGEST_LINE):
        number += 1
        if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
            raise Unreadable(f"Line {number} has more than {LONGEST_LINE >> 20} MiB. Is it CSV?")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(
                f"Line {number} is not text in UTF-8 (byte {error.start + 1}). Save it in UTF-8."
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _header_fits(names: list[str], properties: dict[str, Any], lines: Lines) -> bool:
    if len(names) > MOST_COLUMNS:
        raise Unreadable(f"The file has {len(names):,} columns; at most {MOST_COLUMNS:,} are read.")
    errors, seen = [], set()
    for place, name in enumerate(names, start=1):
        if not name:
            errors.append(("", f"has no name for column {place}; the first line names the fields."))
        elif name in seen:
            errors.append((name, "names two columns."))
        elif properties and name not in properties:
            errors.append((name, f"is not a field.{did_you_mean(name, properties)}"))
        seen.add(name)
    for name, prop in properties.items():
        if name not in seen and not prop["x-ovd"].get("optional"):
            errors.append((name, "is missing: there is no such column."))
    if errors:
        lines.fault(1, *errors[:1000])
    return not errors


def _record(place: int, names: list[str], cells: list[str], properties: dict[str, Any], lines: Lines) -> None:
    if len(cells) != len(names):
        lines.fault(place, ("", f"has {len(cells)} cells; the header has {len(names)}."))
        return
    sample = {}
    for name, cell in zip(names, cells, strict=True):
        value = intake_cells.value(properties.get(name), cell)
        if value is not intake_cells.ABSENT:
            sample[name] = value
    _put(place, sample, lines)


def from_parquet(file: BinaryIO, properties: dict[str, Any], lines: Lines) -> None:
    """Columns by name; a moment becomes RFC 3339, bytes a text, a decimal a number."""
    import pyarrow
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
        names = opened.schema_arrow.names
        if not _header_fits(names, properties, lines):
            return
        place = 0
        for batch in opened.iter_batches(ROWS, use_threads=False):
            columns = [_column(pyarrow, column).to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                place += 1
                _put(place, dict(zip(names, row, strict=True)), lines)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, pyarrow.ArrowMemoryError):
            raise MemoryError from None
        raise Unreadable(f"The file is not Parquet that can be read: {str(error).splitlines()[0][:300]}") from None


def _column(pyarrow: Any, column: Any) -> Any:
    """Python knows moments to the microsecond only."""
    kind = column.type
    if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pyarrow.timestamp("us", kind.tz), safe=False)
    return column


def _put(place: int, sample: dict[str, Any], lines: Lines) -> None:
    try:
        lines.sample(place, sample)
        return
    except (TypeError, ValueError):
        pass
    made: dict[str, Any] = {}
    errors = []
    for name, value in sample.items():
        try:
            made[name] = _plain(value)
        except ValueError as error:
            errors.append((name, str(error)))
    if errors:
        lines.fault(place, *errors)
    else:
        lines.sample(place, made)


def _plain(value: Any) -> Any:
    """The JSON value of what Parquet holds. Raises ValueError with the end of a sentence."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"is {value}; give a finite number, or null where one is missing.")
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"is {value}; give a finite number.")
        return int(value) if value == value.to_integral_value() and value.adjusted() < 300 else _plain(float(value))
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError("holds bytes that are not text in UTF-8. Send files as parts of a form.") from None
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, bool)):
        return value
    raise ValueError(f"is a {type(value).__name__}, which JSON has not.")


def put_up_walls() -> None:
    """Before the first byte of a stranger is read: no more memory, time, files or network than this takes."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)  # where the machine allows it
    bounds = {
        resource.RLIMIT_AS: LARGEST_MEMORY,
        resource.RLIMIT_CPU: LONGEST_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in bounds.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(b"500")


def main(kind: str, descriptor: int) -> None:
    put_up_walls()
    with os.fdopen(descriptor, "rb") as given:
        properties = json.load(given)["properties"]
    lines = Lines(os.fdopen(1, "wb", 1 << 18))
    try:
        {"csv": from_csv, "parquet": from_parquet}[kind](sys.stdin.buffer, properties, lines)
    except Unreadable as error:
        lines.end(str(error))
    except (MemoryError, RecursionError):
        lines.end("Reading it takes more memory than is granted for that. Send it in smaller pieces or row groups.")
    else:
        lines.end()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
