"""The quick check accepts only what the schema's own check accepts, whatever the bytes are."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ovd.fields import Field
from ovd.schema import accept_sample, sample_of
from ovd_saas.appcore import intake_check, intake_types

FIELDS = (
    Field("number", name="a", minimum=-1.5, maximum=2**40),
    Field("number", name="b", optional=True),
    Field("integer", name="c", minimum=-3, maximum=2**53),
    Field("integer", name="d", optional=True),
    Field("boolean", name="e", optional=True),
    Field("text", name="f", minimum_length=1, maximum_length=3, pattern="[a-zé]"),
    Field("choice", name="g", choices=("x", "y", "a")),
    Field("choice", name="h", choices=(1, 2, 3), optional=True),
    Field("datetime", name="i", optional=True),
    Field("series", name="j", maximum_length=3, optional=True),
)
SAMPLE = sample_of(FIELDS)
QUICK = intake_types.quick(SAMPLE)

numbers = st.one_of(
    st.sampled_from(["0", "-0", "1", "1.0", "1e3", "1E-400", "1e400", "-1.5", "-1.50000000000000001", "-1.6", "2.0",
                     str(2**40), str(2**40 + 1), str(2**53), str(2**53 + 1), "9" * 19, "9" * 400, "9" * 5000, "01",
                     "1.", ".5", "+1", "NaN", "Infinity", "-Infinity", "true", "null", '"1"']),
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    st.integers(-5, 5).map(str),
)  # fmt: skip
texts = st.one_of(
    st.sampled_from([r'"\u0000"', r'"\ud800"', r'"\ud83d\ude00"', r'"é"', r'"é"', '"ab\x01"', '"x"', '"y"', '"a"',
                     '"a\\/"', '"a\\x"', '"\x00"', '""', '"abcd"', r'"\u0061"', '"g"', '"\u2028a"', "'a'", '"a']),
    st.text(max_size=4).map(json.dumps),
    st.text(max_size=4).map(lambda text: json.dumps(text, ensure_ascii=False)),
)  # fmt: skip
parts = st.tuples(*(st.sampled_from(one) for one in (
    ["2022", "2022", "2024", "0001", "9999", "0000", "22", "20222"], ["01", "02", "12", "12", "13", "00", "1"],
    ["01", "28", "29", "30", "31"], ["00", "12", "23", "23", "24"], ["00", "59", "59", "60"], ["00", "59", "59", "60"],
)))  # fmt: skip
moments = st.builds(
    lambda part, joint, fraction, zone: (
        f'"{part[0]}-{part[1]}-{part[2]}{joint}{part[3]}:{part[4]}:{part[5]}{fraction}{zone}"'
    ),
    parts,
    st.sampled_from(["T", "T", "t", " ", "_"]),
    st.sampled_from(["", "", ".1", ".123456", ".123456789", ".1234567890123", ".", ",5"]),
    st.sampled_from(["Z", "Z", "z", "", "+01:00", "-23:59", "+24:00", "+0100", "+01", "-00:00", "+01:60", " Z"]),
)
series = st.sampled_from(["null", "[]", "[1, null, 2.5]", "[1, 2, 3, 4]", "[true]", "{}", "[[1]]", "[1e400]", '["1"]',
                          '{"values": [1], "times": []}'])  # fmt: skip
choices = st.sampled_from(['"x"', '"y"', '"a"', '"z"', "1", "2", "3", "4", "1.0", "true", "null"])
truths = st.sampled_from(["true", "false", "true", "1", "null", '"true"'])
values = {"a": numbers, "b": numbers, "c": numbers, "d": numbers, "e": truths, "f": texts, "g": choices, "h": choices,
          "i": st.one_of(moments, st.just('"2022-03-01"')), "j": series}  # fmt: skip
GOOD = {"a": "1", "c": "2", "f": '"z"', "g": '"x"'}
some_fields = st.dictionaries(st.sampled_from([*values]), st.none(), max_size=2).flatmap(
    lambda names: st.fixed_dictionaries({name: values[name] for name in names})
)
strange = st.one_of(
    st.just([]),
    st.just([]),
    st.tuples(
        st.sampled_from(['"a"', '"b"', '"c"', '"j"', '"k"', r'"\u0061"', r'"\u0062"', '"A"', '""', "a"]),
        st.sampled_from(["1", "2", "null", '"x"']),
    ).map(lambda pair: [pair]),
)
lines = st.builds(
    lambda fields, more, blank, end: (
        "{" + f",{blank}".join(f"{name}:{blank}{value}" for name, value in _pairs(fields, more)) + "}" + end
    ),
    some_fields,
    strange,
    st.sampled_from(["", " ", "\t", "\r", "  "]),
    st.sampled_from(["", "", "", "", " ", "\r", ",", "{}", "\x0b", "\ufeff"]),
)


def _pairs(fields: dict[str, str], more: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [*((f'"{name}"', value) for name, value in {**GOOD, **fields}.items()), *more]


def is_accepted(line: bytes) -> bool:
    try:
        value = intake_check.parse(line)
    except ValueError:
        return False
    return not accept_sample(SAMPLE, value)[1]


@settings(max_examples=2000, deadline=None)
@given(st.lists(lines, min_size=1, max_size=3))
@example(['{"a":1,"c":2,"f":"a","g":"x"}'])
@example(['{"a":1,"c":2,"f":"a","g":"x"} {"a":1,"c":2,"f":"a","g":"x"}', ""])
def test_what_the_quick_check_accepts_the_real_one_accepts_too(texts: list[str]) -> None:
    given_lines = [text.encode("utf-8", "surrogatepass") for text in texts]
    block = b"".join(line + b"\n" for line in given_lines)
    split = block.split(b"\n")[:-1]
    if any(quick.accepts(block, split) for quick in QUICK):
        assert all(is_accepted(line) for line in split)


def test_usual_samples_are_accepted_by_the_quick_check() -> None:
    usual: list[dict[str, Any]] = [
        {"a": 1.5, "c": 2, "f": "é", "g": "y", "i": "2022-03-01T00:00:00+01:00", "j": [1, None, 2.5]},
        {"a": -1, "b": None, "c": 0, "d": 5, "e": True, "f": "abc", "g": "x", "h": 3},
    ]
    rows = [json.dumps(row, ensure_ascii=False).encode() for row in usual]
    assert QUICK[0].accepts(b"\n".join(rows) + b"\n", rows)
    day = json.dumps({**usual[0], "i": "2022-03-01"}, ensure_ascii=False).encode()
    assert [quick.accepts(day + b"\n", [day]) for quick in QUICK] == [False, True]


@pytest.mark.parametrize(
    "field",
    [
        Field("image", name="a"),
        Field("table", name="a"),
        Field("series", name="a", timed=True),
        Field("choice", name="a", choices=("x", 1)),
        Field("choice", name="a", choices=(1.5, 2.5)),
        Field("number", name="a", maximum=2**60),
    ],
)
def test_what_needs_a_closer_look_has_no_quick_check(field: Field) -> None:
    assert intake_types.quick(sample_of([field])) == []


def test_any_object_has_no_quick_check() -> None:
    assert intake_types.quick(sample_of([])) == []
