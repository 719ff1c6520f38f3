"""Told: what a process says of an execution, judged before anybody believes it. Floor 2: pure.

The code of strangers runs in that process and can send any frame. What is passed on from here has the shape that it
should, is of a bearable size, can be stored, and names no bytes that the process did not send itself.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

LONGEST_NAME = 200  # characters
LONGEST_PROGRESS = 1_000
LONGEST_MESSAGE = 10_000
LONGEST_TRACEBACK = 64 << 10
LONGEST_LINES = 1 << 20  # characters of one log frame that are looked at; far more than the archive keeps
CODES = ("exception", "output", "cancelled", "memory", "timeout")  # of a failure that a process may tell
STREAMS = ("stdout", "stderr")

Properties = Mapping[str, Mapping[str, Any]]  # of the outputs in the schema, by name


def printable(given: object) -> str:
    """A text that PostgreSQL can keep: null characters and halves of surrogate pairs become U+FFFD."""
    text = str(given)
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text(given: object, longest: int) -> str:
    """What is a text, as one that can be kept and is no longer; of anything else, nothing."""
    return printable(given[:longest]) if isinstance(given, str) else ""


def stream(given: object) -> str:
    return given if isinstance(given, str) and given in STREAMS else STREAMS[0]


def number(given: object) -> float | None:
    """What is a finite number; of anything else, None."""
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return None
    try:
        found = float(given)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def progress(header: Mapping[str, Any]) -> dict[str, Any]:
    fraction = number(header.get("fraction"))
    known = None if fraction is None else min(max(fraction, 0.0), 1.0)
    return {"fraction": known, "message": text(header.get("message"), LONGEST_PROGRESS)}


def seconds(given: object) -> float | None:
    found = number(given)
    return found if found is not None and found >= 0 else None


def failure(header: Mapping[str, Any]) -> dict[str, Any]:
    """`{code, message, traceback?}` of a `failed` frame."""
    code, traceback = header.get("code"), text(header.get("traceback"), LONGEST_TRACEBACK)
    error: dict[str, Any] = {
        "code": code if isinstance(code, str) and code in CODES else CODES[0],
        "message": text(header.get("message"), LONGEST_MESSAGE) or "It failed, and did not say why.",
    }
    return {**error, "traceback": traceback} if traceback else error


def unlike(properties: Properties, name: str, value: Any) -> str:
    """Why this cannot be the output of that name, as the end of a sentence about it; empty when it can. Only what it is
    at first sight: what is inside a long one is looked for by `names_a_file`."""
    prop = properties.get(name)
    if prop is None:
        return "is not declared." if properties else ""  # nothing is declared by a release from before outputs were
    about = prop.get("x-ovd", {})
    if value is None:
        return "" if about.get("optional") else "is null."
    return _KINDS.get(about.get("kind", ""), _anything)(value)


def lacks(properties: Properties, outputs: Mapping[str, Any]) -> str:
    """The name of an output that is declared and missing; empty when all are there."""
    needed = (name for name, prop in properties.items() if not prop.get("x-ovd", {}).get("optional"))
    return next((name for name in needed if name not in outputs), "")


def names_a_file(value: Any) -> bool:
    """Whether anybody might take something in it for a file of the store."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if "digest" in part:
                return True
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
    return False


def _anything(value: Any) -> str:
    return ""


def _file(value: Any) -> str:
    if not isinstance(value, dict) or not isinstance(value.get("file"), str):
        return "is not a file that it sent."
    return "" if isinstance(value.get("name"), str) else "is a file without a name."


def _is(kinds: tuple[type, ...], called: str) -> Callable[[Any], str]:
    def judge(value: Any) -> str:
        is_one = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        return "" if is_one else f"is not {called}."

    return judge


def _lists(names: set[str], called: str) -> Callable[[Any], str]:
    def judge(value: Any) -> str:
        is_one = isinstance(value, dict) and value.keys() == names
        return "" if is_one and all(isinstance(part, list) for part in value.values()) else f"is not {called}."

    return judge


_KINDS: dict[str, Callable[[Any], str]] = {
    "number": _is((int, float), "a number"),
    "integer": _is((int,), "a whole number"),
    "boolean": _is((bool,), "true or false"),
    "text": _is((str,), "a text"),
    "datetime": _is((str,), "a moment"),
    "choice": _is((str, int, float, bool), "one of its choices"),
    "series": _lists({"times", "values"}, "a series"),
    "table": _lists({"columns", "rows"}, "a table"),
    "image": _file,
    "file": _file,
}
