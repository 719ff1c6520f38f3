"""Intake, the documents: one JSON document, an object or an array of them, sample by sample. Floor 2: pure."""

from collections.abc import Iterator
from typing import Any

from ovd_saas.appcore import intake_check

_BLANKS = (" ", "\n", "\r", "\t")


def elements(text: str) -> Iterator[Any]:
    """The object, or each element of the array, one after the other. Raises ValueError as the end of a sentence."""
    start = _blank(text, 0)
    if text[start] != "[":
        yield intake_check.loads(text)
        return
    place = _blank(text, start + 1)
    if text[place : place + 1] == "]":
        place += 1
    else:
        while True:
            value, place = intake_check.loads_at(text, place)
            yield value
            place = _blank(text, place)
            if text[place : place + 1] == ",":
                place = _blank(text, place + 1)
            elif text[place : place + 1] == "]":
                place += 1
                break
            else:
                raise ValueError(f"is not JSON: a comma or ] is missing (character {place + 1}).")
    if text[place:].strip():
        raise ValueError(f"is not one JSON document: there is more behind its end (character {place + 1}).")


def _blank(text: str, place: int) -> int:
    while text[place : place + 1] in _BLANKS:
        place += 1
    return place
