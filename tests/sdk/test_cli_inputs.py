"""name=value and name=@file, read as the schema says."""

from pathlib import Path
from typing import Any

import pytest

from ovd.cli.inputs import read
from ovd.cli.refusal import Refusal

KINDS = ("number", "integer", "boolean", "text", "choice", "series", "table", "image", "file")
SCHEMA: dict[str, Any] = {"properties": {kind: {"x-ovd": {"kind": kind}} for kind in KINDS}}
SCHEMA["properties"]["choice"]["enum"] = ["a", 2]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("number=1.5", 1.5),
        ("number=much", "much"),  # the check of the inputs says what is wrong with it
        ("integer=24", 24),
        ("boolean=yes", True),
        ("boolean=false", False),
        ("boolean=perhaps", "perhaps"),
        ("text=24", "24"),
        ("text=a=b", "a=b"),
        ("text=", ""),
        ("text=@@home", "@home"),
        ("choice=2", 2),
        ("choice=a", "a"),
        ("choice=c", "c"),
        ("series=3,1,,-4.5", [3, 1, None, -4.5]),
        ("series=[1, null]", [1, None]),
        ('series={"times": [], "values": [1]}', {"times": [], "values": [1]}),
        ('table=[{"a": 1}]', [{"a": 1}]),
    ],
)
def test_a_value_is_read_as_its_kind(argument: str, value: Any) -> None:
    found = read([argument], SCHEMA).values[argument.partition("=")[0]]
    assert (found, type(found)) == (value, type(value))


def test_a_file_is_sent_for_what_takes_files_and_read_for_the_others(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("24")
    given = read([f"{kind}=@{path}" for kind in KINDS], SCHEMA)
    assert given.files == dict.fromkeys(("series", "table", "image", "file"), path)
    assert given.values["text"] == "24"
    assert given.values["integer"] == 24


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["number"], "'number' is not an input. Write name=value"),
        (["numbers=1"], "no input 'numbers'. Did you mean \"number\"?"),
        (["number=1", "number=2"], "given twice"),
        (["series=flow.csv"], "series=@flow.csv"),
        (["series=1,two"], "'two' is not a number"),
        (["series=[1,"], "not JSON"),
        (["table=a.csv"], "table=@FILE"),
        (["image=cat.png"], "Write image=@cat.png"),
        (["file=@gone.txt"], "no file gone.txt"),
    ],
)
def test_what_cannot_be_an_input_is_refused_with_a_cure(arguments: list[str], sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(arguments, SCHEMA)
    assert sentence in str(refused.value)
