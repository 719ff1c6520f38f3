"""The schema: described from the signature, and the same checks of inputs and outputs everywhere."""

import base64
import json
import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ovd
from ovd import App, Context, File, Image, Outputs, Series, Table
from ovd.fields import Field
from ovd.schema import FieldError, FileHead, accept, check_outputs, describe, inline_bytes, object_of, parse_upload

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def schema_of(*fields: Field) -> dict[str, Any]:
    return object_of(fields)


def field(made: Any, name: str = "x") -> Field:
    assert isinstance(made, Field)
    return made.replace(name=name)


def fault(made: Any, value: Any, files: dict[str, FileHead] | None = None) -> str:
    """What is wrong with `value` for this field; empty when nothing is."""
    given = {} if value is NOTHING else {"x": value}
    _, errors = accept(schema_of(field(made)), given, files or {})
    return " ".join(error.message for error in errors)


NOTHING = object()


class Answer(Outputs):
    forecast: Series = ovd.series(label="Forecast", unit="l/s")
    note: str
    picture: Image | None = ovd.image()


class Everything(App):
    def execute(
        self,
        context: Context,
        history: Series = ovd.series(label="Flow", minimum_length=2, help="Hourly."),  # noqa: B008
        horizon: int = ovd.integer(default=24, minimum=1, maximum=168, unit="h", advanced=True),
        method: Literal["a", "b"] = "a",
        table: Table | None = None,
        plain: float = 0.5,
        extra: File | None = None,
    ) -> Answer:
        raise AssertionError


def test_the_signature_is_the_schema() -> None:
    document = describe(Everything)
    inputs = document["inputs"]
    assert inputs["required"] == ["history"]
    assert inputs["additionalProperties"] is False
    assert inputs["properties"]["horizon"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 168,
        "default": 24,
        "title": "Horizon",
        "x-ovd": {"kind": "integer", "order": 1, "advanced": True, "unit": "h"},
    }
    kinds = {name: prop["x-ovd"]["kind"] for name, prop in inputs["properties"].items()}
    assert kinds == {
        "history": "series",
        "horizon": "integer",
        "method": "choice",
        "table": "table",
        "plain": "number",
        "extra": "file",
    }
    assert inputs["properties"]["method"]["enum"] == ["a", "b"]
    assert inputs["properties"]["history"]["description"] == "Hourly."
    assert document["outputs"]["required"] == ["forecast", "note"]
    assert json.loads(json.dumps(document)) == document


def test_defaults_are_filled_in_and_optional_inputs_stay_absent() -> None:
    inputs = describe(Everything)["inputs"]
    accepted, errors = accept(inputs, {"history": [1, None], "extra": None})
    assert errors == []
    assert accepted == {"history": {"times": [], "values": [1, None]}, "horizon": 24, "method": "a", "plain": 0.5}


def test_all_errors_are_told_at_once_each_with_its_field() -> None:
    _, errors = accept(describe(Everything)["inputs"], {"horizon": 200, "method": "c", "horizn": 1})
    assert [error.field for error in errors] == ["history", "horizon", "method", "horizn"]
    assert FieldError("horizon", "is 200 h; the most is 168 h.") in errors
    assert FieldError("history", "is missing and has no default.") in errors
    assert 'Did you mean "horizon"?' in errors[-1].message


@pytest.mark.parametrize(
    ("made", "value", "words"),
    [
        (ovd.number(), "1.5", "must be a number, not the text '1.5'."),
        (ovd.number(), True, "must be a number, not true."),
        (ovd.number(), None, "must be a number, not null."),
        (ovd.number(), math.nan, "is NaN"),
        (ovd.number(), -math.inf, "is infinite"),
        (ovd.number(minimum=0), -0.1, "the least is 0"),
        (ovd.integer(), 1.5, "must be a whole number"),
        (ovd.integer(), False, "must be a whole number"),
        (ovd.integer(maximum=5), 10**400, "the most is 5"),
        (ovd.boolean(), 1, "must be true or false, not the number 1."),
        (ovd.text(), 3, "must be a text"),
        (ovd.text(minimum_length=2), "a", "has 1 character; the least is 2."),
        (ovd.text(maximum_length=2), "abc", "has 3 characters; the most is 2."),
        (ovd.text(pattern="^a"), "ba", "does not match"),
        (ovd.text(), "a\x00", "null character"),
        (ovd.text(), "\ud800", "surrogate"),
        (ovd.choice(["a", "b"]), "c", "must be one of a, b."),
        (ovd.choice([1, 2]), True, "is true; it must be one of 1, 2."),
        (ovd.choice(["a"]), ["a"], "is a list"),
        (ovd.series(), {"times": ["x"], "values": [1]}, "as time 1; a time is written such as"),
        (ovd.series(), {"times": ["2022-03-01T00:00:00Z"], "values": [1, 2]}, "1 times for 2 values"),
        (ovd.series(), {"values": [1]}, 'needs a list under "times"'),
        (ovd.series(), {"times": [], "values": [1], "unit": "m"}, 'unknown part "unit"'),
        (ovd.series(), [1, "2"], "the text '2' as value 2"),
        (ovd.series(), [1, math.nan], "NaN (not a number) as value 2; a gap is null."),
        (ovd.series(minimum_length=3), [1, 2], "has 2 values; the least is 3."),
        (ovd.series(timed=True), [1, 2], "needs its times"),
        (ovd.table(), [{"a": 1}, 3], "the number 3 as row 2"),
        (ovd.table(), {"columns": ["a"], "rows": [[1, 2]]}, "2 cells in row 1 for 1 column."),
        (ovd.table(), {"columns": ["a", "a"], "rows": []}, 'two columns "a"'),
        (ovd.table(), {"columns": ["a"], "rows": [[{}]]}, 'an object in row 1, column "a"'),
        (ovd.table(columns=["b", "c"]), [{"a": 1}], "lacks the columns b, c; it has a."),
        (ovd.table(maximum_rows=1), [{"a": 1}, {"a": 2}], "has 2 rows; the most is 1."),
        (ovd.image(), "hello", "must be a file"),
        (ovd.image(), "data:image/png;base64,@@@", "not base64"),
        (ovd.image(), {"data": base64.b64encode(b"hello").decode()}, "is no image: it is a text"),
        (ovd.file(), {"data": ""}, "the file is empty."),
        (ovd.file(), {"data": "aGk=", "path": "/etc"}, 'unknown part "path"'),
        (ovd.number(), NOTHING, "is missing"),
    ],
)
def test_a_wrong_value_is_refused_in_words(made: Any, value: Any, words: str) -> None:
    assert words in fault(made, value)


@pytest.mark.parametrize(
    ("made", "value", "canonical"),
    [
        (ovd.number(minimum=0, maximum=1), 1, 1),
        (ovd.integer(), 24.0, 24),
        (ovd.choice({1: "one"}), 1, 1),
        (ovd.series(), {"times": ["2022-03-01T01:00:00+01:00"], "values": [1]}, None),
        (ovd.table(), [{"a": 1}, {"b": "x"}], {"columns": ["a", "b"], "rows": [[1, None], [None, "x"]]}),
    ],
)
def test_a_right_value_becomes_canonical(made: Any, value: Any, canonical: Any) -> None:
    accepted, errors = accept(schema_of(field(made)), {"x": value})
    assert errors == []
    assert accepted["x"] == (canonical if canonical is not None else value)


def test_a_time_without_zone_is_taken_as_utc_and_says_so() -> None:
    accepted, _ = accept(schema_of(field(ovd.series())), {"x": {"times": ["2022-03-01T00:00:00"], "values": [1]}})
    assert accepted["x"]["times"] == ["2022-03-01T00:00:00Z"]


def test_an_uploaded_file_is_judged_by_its_first_bytes_and_its_size() -> None:
    made = ovd.image(max_bytes=20_000_000)
    good = FileHead("photo.jpg", "image/jpeg", 108, PNG)
    accepted, errors = accept(schema_of(field(made)), {}, {"x": good})
    assert (accepted, errors) == ({"x": {"upload": "x"}}, [])
    assert "41 MB is over the limit of 20 MB." in fault(made, NOTHING, {"x": good._replace(size=41_000_000)})
    text = FileHead("photo.png", "image/png", 5, b"hello")
    assert "the file 'photo.png' is no image: it is a text" in fault(made, NOTHING, {"x": text})
    assert "image/gif; send PNG" in fault(
        ovd.image(media_types=["image/png"]), NOTHING, {"x": good._replace(head=b"GIF89a...")}
    )
    assert "sent twice" in fault(made, "data:,x", {"x": good})
    assert "a file cannot be sent for it" in fault(ovd.number(), NOTHING, {"x": good})
    assert "send text/csv" in fault(ovd.file(media_types=["text/csv"]), NOTHING, {"x": good})
    assert "is not text in UTF-8" in fault(
        ovd.file(media_types=["text/*"]), NOTHING, {"x": FileHead("a.txt", "text/plain", 3, b"\xff\x00x")}
    )


@pytest.mark.parametrize("as_uri", [True, False])
def test_an_inline_file_becomes_canonical_with_its_proved_type(as_uri: bool) -> None:
    data = base64.b64encode(PNG).decode()
    value: Any = f"data:image/jpeg;base64,{data}" if as_uri else {"name": "../a/p.jpg", "data": data}
    accepted, errors = accept(schema_of(field(ovd.image())), {"x": value})
    assert errors == []
    assert accepted["x"]["media_type"] == "image/png"
    assert accepted["x"]["size"] == len(PNG)
    assert accepted["x"]["name"] == ("file" if as_uri else "p.jpg")
    assert inline_bytes(accepted["x"]) == PNG


def test_what_is_not_an_object_is_refused_as_a_whole() -> None:
    for nonsense in (None, [], "x", 3):
        assert accept(describe(Everything)["inputs"], nonsense)[1][0].field == ""


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["times", "values", "columns", "rows", "data", "name", "media_type", "x"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ONE_OF_EACH = schema_of(
    field(ovd.number(default=1.0), "number"),
    field(ovd.integer(default=1), "integer"),
    field(ovd.boolean(default=True), "boolean"),
    field(ovd.text(default=""), "text"),
    field(ovd.choice(["a", 1, False], default="a"), "choice"),
    field(ovd.image(default=None).replace(optional=True), "image"),
    field(ovd.file(default=None).replace(optional=True), "file"),
    field(ovd.table(default=None).replace(optional=True), "table"),
    field(ovd.series(default=None).replace(optional=True), "series"),
)


@given(st.dictionaries(st.sampled_from(list(ONE_OF_EACH["properties"])) | st.text(max_size=3), anything, max_size=6))
def test_any_values_are_accepted_or_refused_and_what_is_accepted_is_storable_and_stays(values: dict[str, Any]) -> None:
    accepted, errors = accept(ONE_OF_EACH, values)
    for error in errors:
        assert error.message
    if not errors:
        text = json.dumps(accepted, allow_nan=False)
        assert "\\u0000" not in text
        text.encode("utf-8")
        assert accept(ONE_OF_EACH, json.loads(text)) == (accepted, [])


@given(st.sampled_from(["table", "series"]), st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_parsed_or_refused_with_a_message(kind: str, data: bytes) -> None:
    try:
        parse_upload(kind, data, "text/csv")
    except ValueError as error:
        assert str(error)


def test_csv_becomes_a_series_or_a_table() -> None:
    csv = b"\xef\xbb\xbftime,flow\r\n2022-03-01T00:00:00Z,1.5\r\n2022-03-01T01:00:00Z,\r\n"
    assert parse_upload("series", csv, "text/csv") == {
        "times": ["2022-03-01T00:00:00Z", "2022-03-01T01:00:00Z"],
        "values": [1.5, None],
    }
    assert parse_upload("series", b"flow\n1\n2\n", "text/csv") == {"times": [], "values": [1, 2]}
    assert parse_upload("table", b"a;b\n1;x\n;1_0\n", "text/csv") == {
        "columns": ["a", "b"],
        "rows": [[1, "x"], [None, "1_0"]],
    }
    assert parse_upload("series", b"[1, 2]", "application/json") == [1, 2]


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("series", b"", "no header"),
        ("series", b"a,b,c\n1,2,3\n", "3 columns"),
        ("series", b"t,v\nx,many\n", "record 2 of the CSV has 'many'"),
        ("table", b"a,b\n1\n", "record 2 of the CSV has 1 cells; the header has 2"),
        ("table", b"\xff\xff", "not text in UTF-8"),
        ("table", b'a\n"x', "not CSV"),
        ("table", b"{", "not JSON"),
        ("number", b"1", "a number is not parsed"),
    ],
)
def test_a_file_that_is_no_table_or_series_is_refused_in_words(kind: str, data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_upload(kind, data, "")


def test_outputs_are_checked_against_their_declaration() -> None:
    outputs = describe(Everything)["outputs"]
    good = {"forecast": {"times": [], "values": [1.0]}, "note": "n"}
    assert check_outputs(outputs, good) == []
    wrong = check_outputs(outputs, {"forecast": [math.nan], "nte": 1, "picture": "p.png"})
    assert [error.field for error in wrong] == ["forecast", "nte", "picture", "note"]
    picture = {"name": "p.png", "media_type": "image/png", "size": 30_000_000}
    assert "limit" in check_outputs(outputs, {**good, "picture": picture})[0].message
