"""The schema of a sample: declared in the manifest, told in the schema document, and the same wherever a sample is
judged."""

import dataclasses
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovd import loading, manifest, schema, values
from ovd.fields import Field
from ovd.schema import FieldError, StoredFile
from sdk.processes import APPS, folder_of

HEAD = 'name = "tried"\ntitle = "Tried"\nentry = "app:Tried"\n'  # 3 lines
GATE = '[gate]\nmetric = "mae"\n'
CODE = """
    from ovd import App

    class Tried(App):
        def execute(self, context, x: int) -> int:
            return x
        def learn(self, context, data, parent, target):
            return {}
        def evaluate(self, context, data):
            return None
"""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def sample(text: str, folder: Path) -> dict[str, Any]:
    """The schema of the sample that `[learn.sample]` with this text declares."""
    loaded = loading.load(folder_of(folder, CODE, manifest="[learn]\n[learn.sample]\n" + text + GATE))
    document: dict[str, Any] = loaded.schema["sample"]
    assert json.loads(json.dumps(loaded.schema)) == loaded.schema
    return document


def problems(folder: Path, text: str) -> list[manifest.Problem]:
    (folder / "ovd.toml").write_text(text)
    (folder / "requirements.lock").touch()
    with pytest.raises(manifest.ManifestError) as caught:
        manifest.load(folder)
    return caught.value.problems


FLOW = """
time = "datetime"
flow = { kind = "number", minimum = 0, unit = "l/s" }
valve = { kind = "choice", choices = ["open", "shut"], optional = true }
photo = { kind = "image", optional = true }
"""


def test_a_field_is_a_kind_or_a_table_and_the_document_tells_all_of_it(tmp_path: Path) -> None:
    document = sample(FLOW, tmp_path)
    assert document["required"] == ["time", "flow"]
    assert document["additionalProperties"] is False
    assert document["properties"]["time"] == {
        "type": "string",
        "format": "date-time",
        "title": "Time",
        "x-ovd": {"kind": "datetime", "order": 0, "advanced": False},
    }
    assert document["properties"]["flow"]["minimum"] == 0
    assert document["properties"]["flow"]["x-ovd"]["unit"] == "l/s"
    assert document["properties"]["valve"]["enum"] == ["open", "shut"]
    assert "image/png" in document["properties"]["photo"]["x-ovd"]["media_types"]


def test_without_fields_every_object_is_a_sample_and_without_learning_there_is_none(tmp_path: Path) -> None:
    document = sample("", tmp_path)
    assert document["properties"] == {} and document["additionalProperties"] is True
    assert schema.accept_sample(document, {"any": ["thing"]}) == ({"any": ["thing"]}, [])
    assert loading.load(APPS / "echo").schema["sample"] is None


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        ("2022-03-01T00:00:00Z", "2022-03-01T00:00:00Z"),
        ("2022-03-01T00:00:00", "2022-03-01T00:00:00Z"),
        ("2022-03-01 00:00", "2022-03-01T00:00:00Z"),
        ("2022-03-01", "2022-03-01T00:00:00Z"),
        ("2022-03-01T02:00:00+02:00", "2022-03-01T02:00:00+02:00"),
        ("2022-03-01t00:00:00.5z", "2022-03-01T00:00:00.500000Z"),
        ("2022-03-01T00:00:00.123456789Z", "2022-03-01T00:00:00.123456Z"),
        ("2022-03-01T00:00:00-0330", "2022-03-01T00:00:00-03:30"),
    ],
)
def test_a_datetime_becomes_rfc_3339_and_one_without_zone_is_utc(tmp_path: Path, given_: str, found: str) -> None:
    document = schema.sample_of([Field("datetime", "time")])
    assert schema.accept_sample(document, {"time": given_}) == ({"time": found}, [])
    assert values.parse_instant(found).tzinfo is not None


@pytest.mark.parametrize(
    "text",
    ["yesterday", "20220301", "2022-W09-2", "2022-02-30", "2022-03-01T24:00:00Z", "2022-03-01T00:00:60Z", "",
     "2022-03-01T00:00:00+99:00", "2022-03-01T00:00:00+01:60", "0000-01-01", "٢٠٢٢-03-01", 1646092800, None, True, []],
)  # fmt: skip
def test_what_is_no_datetime_is_refused(text: Any) -> None:
    errors = schema.accept_sample(schema.sample_of([Field("datetime", "time")]), {"time": text})[1]
    assert [error.field for error in errors] == ["time"]


@given(st.datetimes(), st.integers(-1439, 1439))
def test_every_datetime_survives_its_text(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)) if minutes else UTC)
    if not 1 < moment.year < 9999:
        return  # in UTC it may be no year of the calendar
    found, errors = schema.accept_sample(
        schema.sample_of([Field("datetime", "time")]), {"time": values.write_moment(moment)}
    )
    assert errors == []
    assert values.parse_instant(found["time"]) == moment


@pytest.mark.parametrize(
    ("value", "errors"),
    [
        ({"time": "2022-03-01T00:00:00Z", "flow": 1}, []),
        ({"time": "2022-03-01T00:00:00Z", "flow": 1, "valve": None}, []),
        ({"flow": 1}, [("time", "is missing.")]),
        ({"time": "2022-03-01", "flow": None}, [("flow", "is null")]),
        ({"time": "2022-03-01", "flow": -1}, [("flow", "is -1 l/s; the least is 0 l/s.")]),
        ({"time": "2022-03-01", "flow": math.nan}, [("flow", "is NaN")]),
        ({"time": "2022-03-01", "flow": 10**400}, [("flow", "beyond the range")]),
        ({"time": "2022-03-01", "flow": "1"}, [("flow", "must be a number, not the text '1'")]),
        ({"time": "2022-03-01", "flow": True}, [("flow", "must be a number, not true")]),
        ({"time": "2022-03-01", "flow": 1, "valve": "ajar"}, [("valve", "one of open, shut")]),
        ({"time": "2022-03-01", "flwo": 1}, [("flow", "is missing"), ("flwo", 'Did you mean "flow"?')]),
        ([1], [("", "must be an object, not a list")]),
        (None, [("", "must be an object, not null")]),
    ],
)
def test_all_that_is_wrong_with_a_sample_is_told_by_its_field(
    tmp_path: Path, value: Any, errors: list[tuple[str, str]]
) -> None:
    found = schema.accept_sample(sample(FLOW, tmp_path), value)[1]
    assert [error.field for error in found] == [field for field, _ in errors]
    for error, (_, words) in zip(found, errors, strict=True):
        assert words in error.message


def test_an_optional_field_stays_away_or_null() -> None:
    document = schema.sample_of([Field("number", "x", optional=True)])
    assert schema.accept_sample(document, {}) == ({}, [])
    assert schema.accept_sample(document, {"x": None}) == ({"x": None}, [])


def test_a_file_is_named_as_it_was_sent_or_by_its_digest() -> None:
    document = schema.sample_of([Field("image", "photo", media_types=("image/png",), max_bytes=100)])
    stored = StoredFile("cat.png", "application/octet-stream", 16, "d1", PNG)
    whole = {"photo": {"name": "cat.png", "media_type": "image/png", "size": 16, "digest": "d1"}}
    assert schema.accept_sample(document, {"photo": "cat.png"}, {"cat.png": stored}) == (whole, [])
    assert schema.accept_sample(document, whole, {"d1": stored}) == (whole, [])


@pytest.mark.parametrize(
    ("value", "stored", "words"),
    [
        ("cat.pgn", StoredFile("cat.png", "", 16, "d1", PNG), 'which was not sent. Did you mean "cat.png"?'),
        ({"digest": "d2"}, StoredFile("cat.png", "", 16, "d1", PNG), "which was not sent"),
        ("cat.png", StoredFile("cat.png", "image/png", 4, "d1", b"text"), "is no image"),
        ("cat.png", StoredFile("cat.png", "image/png", 101, "d1", PNG), "over the limit"),
        ("cat.png", StoredFile("cat.png", "image/png", 0, "d1", b""), "is empty"),
        (7, StoredFile("cat.png", "image/png", 16, "d1", PNG), "must be the name of a file"),
        (None, StoredFile("cat.png", "image/png", 16, "d1", PNG), "is null"),
        ({"digest": 7}, StoredFile("cat.png", "image/png", 16, "d1", PNG), "must be the name of a file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(value: Any, stored: StoredFile, words: str) -> None:
    document = schema.sample_of([Field("image", "photo", media_types=("image/png",), max_bytes=100)])
    errors = schema.accept_sample(document, {"photo": value}, {"cat.png": stored})[1]
    assert len(errors) == 1 and isinstance(errors[0], FieldError)
    assert words in errors[0].message


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "cure"),
    [
        ("[learn.sample]\nflow = 'nmber'\n", 6, "learn.sample.flow", "must be one of", 'Did you mean "number"?'),
        ("[learn.sample]\nflow = 3\n", 6, "learn.sample.flow", "a kind, or a table", 'flow = "number"'),
        ("[learn.sample]\n'a b' = 'number'\n", 6, "learn.sample.a b", "is not a name", "letters"),
        ("[learn.sample]\nc = 'choice'\n", 6, "learn.sample.c", "needs choices", 'choices = ["…", "…"]'),
        ("[learn.sample]\nx = { kind = 'number', minimun = 0 }\n", 6, "learn.sample.x.minimun", "Unknown key",
         'Did you mean "minimum"?'),
        ("[learn.sample]\nx = { minimum = 0 }\n", 6, "learn.sample.x", "There is no kind", "datetime"),
        ("[learn.sample]\nx = { kind = 'integer', choices = [1, 2] }\n", 6, "learn.sample.x", "has no choices",
         'kind = "choice"'),
        ("[learn.sample]\nx = { kind = 'number', minimum = 2, maximum = 1 }\n", 6, "learn.sample.x", "over the", ""),
        ("[learn.sample]\nx = { kind = 'text', pattern = '(' }\n", 6, "learn.sample.x.pattern", "regular expression",
         ""),
        ("[learn.sample]\nx = { kind = 'number', default = 1 }\n", 6, "learn.sample.x.default", "Unknown key", ""),
        ("sample = 3\n", 5, "learn.sample", "Must be a table", "[learn.sample]"),
        ("time = 'tim'\n[learn.sample]\ntime = 'datetime'\n", 5, "learn.time", "no field 'tim'", 'Did you mean "time"'),
        ("time = 'x'\n[learn.sample]\nx = 'number'\n", 5, "learn.time", "is a number", "another field"),
        ("time = 'x'\n", 5, "learn.time", "no field 'x'", 'Write x = "datetime" below [learn.sample].'),
        ("time = 'x'\n[learn.sample]\nx = { kind = 'datetime', optional = true }\n", 5, "learn.time", "is optional",
         "Remove optional"),
        ("label = 'lable'\n[learn.sample]\nlabel = 'text'\n", 5, "learn.label", "no field", 'Did you mean "label"'),
        ("[learn.sample]\nx = 'number'\n[drift]\nfields = ['y']\n", 8, "drift.fields", "no field 'y'", "x"),
        ("[learn.sample]\nx = 'image'\n[drift]\nfields = ['x']\n", 8, "drift.fields", "cannot be watched", "number"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_sample_is_named_with_its_line_its_key_and_a_cure(
    tmp_path: Path, text: str, line: int, key: str, message: str, cure: str
) -> None:
    found = problems(tmp_path, HEAD + "[learn]\n" + text + GATE)
    assert len(found) == 1, found
    assert (found[0].line, found[0].key) == (line, key)
    assert message in found[0].message
    assert cure in found[0].cure


def test_a_label_that_is_not_named_needs_no_field(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "ovd.toml").write_text(HEAD + "[learn]\n[learn.sample]\nx = 'number'\n" + GATE)
    assert manifest.load(tmp_path).learn is not None


def test_a_manifest_with_fields_can_be_copied_into_plain_values(tmp_path: Path) -> None:
    folder_of(tmp_path, CODE, manifest="[learn]\n[learn.sample]\nx = 'number'\n" + GATE)
    found = manifest.load(tmp_path)
    assert found.learn is not None
    assert found.learn.sample[0].is_required
    assert dataclasses.replace(found.learn.sample[0]).is_required
    assert dataclasses.asdict(found)["learn"]["sample"][0]["default"] is found.learn.sample[0].default
