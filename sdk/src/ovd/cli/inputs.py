"""Inputs: `name=value` and `name=@file` of a command line, read as the application's schema says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ovd.cli.refusal import Refusal
from ovd.nearest import did_you_mean

UPLOADED = frozenset({"image", "file", "table", "series"})  # kinds whose @file is sent as it is
TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Inputs(NamedTuple):
    """What a person gave on the command line."""

    values: "dict[str, Any]"
    files: "dict[str, Path]"


def read(given: "Sequence[str]", schema: "dict[str, Any]") -> Inputs:
    """The inputs in `given`. `schema` is the JSON Schema of the inputs; bounds are checked by who executes.

    Raises Refusal for what cannot be an input of this application.
    """
    properties: dict[str, Any] = schema.get("properties") or {}
    inputs = Inputs({}, {})
    for argument in given:
        name, equals, value = argument.partition("=")
        if not equals:
            raise Refusal(f"{argument!r} is not an input. Write name=value, or name=@file.")
        if name not in properties:
            raise Refusal(f"There is no input {name!r}.{did_you_mean(name, properties)}")
        if name in inputs.values or name in inputs.files:
            raise Refusal(f"Input {name!r} is given twice. Give it once.")
        _put(inputs, name, value, properties[name])
    return inputs


def _put(inputs: Inputs, name: str, value: str, field: "dict[str, Any]") -> None:
    kind = str((field.get("x-ovd") or {}).get("kind"))
    if value.startswith("@@"):  # a text that begins with one @
        inputs.values[name] = _value(name, kind, value[1:], field)
    elif value.startswith("@"):
        path = Path(value[1:])
        if not path.is_file():
            raise Refusal(f"Input {name!r}: there is no file {path}.")
        if kind in UPLOADED:
            inputs.files[name] = path
        else:
            inputs.values[name] = _value(name, kind, _text_of(name, path), field)
    elif kind in ("image", "file"):
        raise Refusal(f"Input {name!r} is a file. Write {name}=@{value or 'FILE'}")
    else:
        inputs.values[name] = _value(name, kind, value, field)


def _text_of(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refusal(f"Input {name!r}: {path} is no UTF-8 text.") from None


def _value(name: str, kind: str, text: str, field: "dict[str, Any]") -> Any:
    """`text` as the kind says; a number or truth that is none stays a text, which the check then refuses by name."""
    if kind == "text":
        return text
    if kind == "choice":
        return next((choice for choice in field.get("enum") or () if str(choice) == text.strip()), text)
    if kind == "boolean":
        return TRUTHS.get(text.strip().lower(), text)
    if kind == "series" and not text.lstrip().startswith(("[", "{")):
        return [_item(name, item) for item in text.split(",")]
    try:
        return json.loads(text)
    except ValueError:
        if kind in ("series", "table"):
            raise Refusal(f"Input {name!r} is not JSON. A file is easier: {name}=@FILE, in CSV or JSON.") from None
        return text


def _item(name: str, text: str) -> Optional[float]:
    """One value of a series written as 3,1,,4; nothing between two commas is a gap."""
    if not text.strip():
        return None
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise Refusal(
            f"Input {name!r}: {text.strip()!r} is not a number. "
            f"Write {name}=3,1,4 or, for a file, {name}=@{text.strip() or 'FILE'}"
        ) from None
