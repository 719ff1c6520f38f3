"""Samples in a file: each is read when it is asked for, as what the application declared."""

import json
import pickle
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovd import Samples, Series, Table, schema
from ovd.app import Failed
from ovd.fields import Field
from ovd.lines import BLOCK, Lines
from ovd.rows import Rows

FIELDS = [
    Field("datetime", "time"),
    Field("number", "flow"),
    Field("integer", "count", optional=True),
    Field("series", "past", optional=True),
    Field("table", "parts", optional=True),
]


def written(folder: Path, rows: list[Any]) -> Lines:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Lines(folder / "rows.jsonl")


def samples(folder: Path, rows: list[Any], fields: list[Field] = FIELDS) -> Samples:
    return Samples(Rows(written(folder, rows), schema.sample_of(fields), {}))


def hours(count: int) -> list[dict[str, Any]]:
    return [{"time": f"2022-03-{1 + n // 24:02}T{n % 24:02}:00:00Z", "flow": n} for n in range(count)]


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=60), st.booleans())
def test_any_line_of_a_file_is_found(lines: list[bytes], ends: bool) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        text = b"\n".join(lines) + (b"\n" if ends and lines else b"")
        if not ends and lines and not lines[-1]:
            return  # an empty last line without an end is no line
        file.write(text)
        file.flush()
        found = Lines(Path(file.name))
        assert len(found) == len(lines)
        assert list(found) == lines
        for place in reversed(range(len(lines))):
            assert found[place] == lines[place]


def test_lines_longer_and_shorter_than_a_block_are_found_in_any_order(tmp_path: Path) -> None:
    lines = [bytes([65 + n % 26]) * (n * 37 % 200 if n % 50 else BLOCK + n) for n in range(3000)]
    (tmp_path / "x").write_bytes(b"\n".join(lines) + b"\n")
    found = Lines(tmp_path / "x")
    assert len(found) == 3000
    assert all(found[n * 1777 % 3000] == lines[n * 1777 % 3000] for n in range(3000))
    with pytest.raises(IndexError):
        found[3000]
    with pytest.raises(IndexError):
        found[-1]


def test_a_million_samples_need_hardly_any_memory(tmp_path: Path) -> None:
    import tracemalloc

    (tmp_path / "x").write_bytes(b'{"flow":1.5}\n' * 1_000_000)
    tracemalloc.start()
    found = Samples(Rows(Lines(tmp_path / "x"), schema.sample_of([Field("number", "flow")]), {}))
    assert len(found) == 1_000_000
    assert found[999_999] == found[-1] == {"flow": 1.5}
    assert sum(row["flow"] for row in found[500_000:510_000]) == 15_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_values_come_as_what_was_declared_and_absent_ones_as_none(tmp_path: Path) -> None:
    row = {
        "time": "2022-03-01T00:00:00+01:00",
        "flow": 1,
        "past": [1, None],
        "parts": {"columns": ["a"], "rows": [[1]]},
    }
    found = samples(tmp_path, [row])[0]
    assert found["time"] == datetime(2022, 2, 28, 23, tzinfo=UTC)
    assert isinstance(found["flow"], float)
    assert found["count"] is None
    assert found["past"] == Series([], [1, None])
    assert found["parts"] == Table(["a"], [[1]])


def test_slices_columns_and_places_from_the_end(tmp_path: Path) -> None:
    found = samples(tmp_path, hours(100))
    assert len(found) == 100
    assert found[-1]["flow"] == 99
    part = found[10:20]
    assert isinstance(part, Samples) and len(part) == 10
    assert part.column("flow") == list(range(10, 20))
    assert part[2:4].column("flow") == [12, 13]
    assert found[::-50].column("flow") == [99, 49]
    assert [row["flow"] for row in part] == list(range(10, 20))
    assert found.column("count") == [None] * 100
    with pytest.raises(KeyError, match="Did you mean"):
        found.column("flwo")
    with pytest.raises(IndexError, match="There is no sample 10; there are 10"):
        part[10]


def test_slices_of_samples_in_memory_are_samples_too() -> None:
    found = Samples([{"x": 1}, {"x": 2}])
    assert isinstance(found[1:], Samples)
    assert found[1:].column("x") == [2]
    with pytest.raises(KeyError, match="there are x"):
        found.column("y")


def test_without_declared_fields_a_sample_is_what_arrived(tmp_path: Path) -> None:
    found = samples(tmp_path, [{"a": 1}, {"b": [2]}], [])
    assert list(found) == [{"a": 1}, {"b": [2]}]
    assert found.column("a") == [1, None]
    with pytest.raises(KeyError, match="No sample has"):
        found.column("c")
    assert samples(tmp_path, [], []).column("c") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "Sample 2 is not JSON"),
        ("[1]", "Sample 2 is a list, not an object"),
        ('{"flow": 1}', 'Sample 2: "time" is missing'),
        ('{"time": null, "flow": 1}', 'Sample 2: "time" is null'),
        ('{"time": "2022-03-01", "flow": "1"}', 'Sample 2: "flow" must be a number'),
        ("[" * 100_000, "nested too deeply|not JSON"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "x").write_text(json.dumps(hours(1)[0]) + "\n" + line + "\n")
    found = Samples(Rows(Lines(tmp_path / "x"), schema.sample_of(FIELDS), {}))
    assert found[0]["flow"] == 0
    with pytest.raises(Failed, match=words):
        found[1]


def test_samples_are_read_by_many_threads_and_by_other_processes(tmp_path: Path) -> None:
    rows = Rows(written(tmp_path, hours(600)), schema.sample_of(FIELDS), {})
    found: list[list[float]] = []
    threads = [
        threading.Thread(target=lambda: found.append([rows[n * 7 % 600]["flow"] for n in range(600)])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[n * 7 % 600 for n in range(600)]] * 4
    assert pickle.loads(pickle.dumps(rows))[5] == rows[5]
