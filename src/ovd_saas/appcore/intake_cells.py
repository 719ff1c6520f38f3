"""Intake, the cells: from a text in a table or a form to the JSON value that the field wants. Floor 2: pure.

A text that cannot be what its field wants stays a text: the check of the sample then says what is wrong with it.
"""

import json
import re
from typing import Any

ABSENT: Any = object()  # the sample has no such field
_WHOLE = re.compile(r"[+-]?\d{1,400}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MISSING = ("", "na", "nan", "null", "none")


def value(prop: dict[str, Any] | None, text: str) -> Any:
    """The value for a field; ABSENT for an empty cell of an optional one. None as `prop`: nothing is declared."""
    if prop is None:
        return _undeclared(text)
    kind, stripped = prop["x-ovd"]["kind"], text.strip()
    if kind == "text":
        return ABSENT if not text and prop["x-ovd"].get("optional") else text
    if kind == "choice":
        found = next((choice for choice in prop["enum"] if str(choice) == stripped), ABSENT)
        if found is not ABSENT:
            return found
    if stripped.lower() in _MISSING:
        return ABSENT if prop["x-ovd"].get("optional") else None
    if kind in ("number", "integer"):
        return _number(stripped)
    if kind == "boolean":
        return _TRUTHS.get(stripped.lower(), text)
    if kind in ("series", "table"):
        return _json(stripped)
    return stripped


def _number(text: str) -> Any:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _json(text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _undeclared(text: str) -> Any:
    """Numbers, true and false as such; nothing is null."""
    if text in ("true", "false"):
        return text == "true"
    if not text:
        return None
    return _number(text)
