"""Told: what code of strangers says to the runner, on the control line of its process or while it is checked, judged
before anybody believes it or passes it on. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from ovd.fields import KINDS
from ovd.tracebacks import storable

LONGEST_NAME = 200  # characters
LONGEST_MESSAGE = 10_000
LONGEST_FAILURE = 2_000  # of why a process could not be set up
MOST_FIELDS = 1_000  # of inputs, outputs, or a sample
MOST_SAMPLES = 10_000
DEEPEST = 32  # levels of a schema
KNOWN = {*KINDS, "datetime"}
PARTS = ("import", "setup")  # of the time until a process is ready


def text(given: Any, longest: int = LONGEST_MESSAGE) -> str:
    """What is a text, as one that can be sent and stored; of anything else, nothing."""
    return storable(given[:longest]) if isinstance(given, str) else ""


def line(given: str, longest: int) -> str:
    """One line without characters that would change how the rest is shown."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in storable(given[:longest]))


def number(given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return None
    try:
        found = float(given)
    except OverflowError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def seconds(given: Any) -> dict[str, float]:
    """How long the parts of its start took, as it says."""
    told = given if isinstance(given, dict) else {}
    found = {part: number(told.get(part)) for part in PARTS}
    return {part: value for part, value in found.items() if value is not None}


def failure(header: Mapping[str, Any]) -> str:
    """Why it cannot serve, as it says."""
    stage = text(header.get("stage"), LONGEST_NAME) or "set-up"
    return f"{stage} failed: {text(header.get('message'), LONGEST_FAILURE)}"


def sample(event: Mapping[str, Any]) -> dict[str, Any]:
    """How a sample went, as the check says. What is not said to have passed has not."""
    return {
        "name": text(event.get("name"), LONGEST_NAME),
        "status": "passed" if event.get("status") == "passed" else "failed",
        "message": text(event.get("message")) or None,
        "seconds": number(event.get("seconds")),
    }


def names(given: Any) -> list[str]:
    """What is a list of names; of anything else, none."""
    return [text(name, LONGEST_NAME) for name in given[:MOST_FIELDS]] if isinstance(given, list) else []


def wrong(schema: Any) -> str:
    """Why this is no schema that the platform could work with, as the end of a sentence; empty when it is one."""
    if not isinstance(schema, dict):
        return "is not an object."
    if why := _unstorable(schema):
        return why
    for part in ("inputs", "outputs", "sample"):
        if why := _wrong_part(schema.get(part), may_be_none=part == "sample"):
            return f"says of its {part} what {why}"
    samples = schema.get("samples")
    if not isinstance(samples, list) or len(samples) > MOST_SAMPLES or any(type(one) is not dict for one in samples):
        return f"has no list of at most {MOST_SAMPLES:,} samples."
    return ""


def _wrong_part(part: Any, *, may_be_none: bool) -> str:
    if part is None and may_be_none:
        return ""
    properties = part.get("properties") if isinstance(part, dict) else None
    if not isinstance(properties, dict) or len(properties) > MOST_FIELDS:
        return f"is no object with at most {MOST_FIELDS:,} fields."
    required = part.get("required")
    if not isinstance(required, list) or not all(isinstance(name, str) and name in properties for name in required):
        return "is required without being declared."
    for name, prop in properties.items():
        about = prop.get("x-ovd") if isinstance(prop, dict) else None
        if not isinstance(about, dict) or str(about.get("kind")) not in KNOWN or len(name) > LONGEST_NAME:
            return f"is no field: {line(name, LONGEST_NAME)}."
        if about["kind"] == "choice" and not isinstance(prop.get("enum"), list):
            return f"is a choice without choices: {line(name, LONGEST_NAME)}."
    return ""


def _unstorable(schema: Any) -> str:
    left = [(schema, 0)]
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            return "is nested too deeply."
        if isinstance(value, dict):
            left.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list):
            left.extend((part, depth + 1) for part in value)
        elif isinstance(value, str) and value != storable(value):
            return "holds characters that cannot be stored."
        elif isinstance(value, float) and not math.isfinite(value):
            return "holds a number that is none."
    return ""
