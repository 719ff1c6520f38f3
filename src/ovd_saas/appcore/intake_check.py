"""Intake, the check: lines of JSON against the schema of a sample; good ones go on, faults are noted. Floor 2.

The quick check judges a block of lines at once; only where it does not say yes, each line is looked at by
`ovd.schema.accept_sample`, whose word counts.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ovd.schema import FieldError, StoredFile, accept_sample
from ovd_saas.appcore import intake_types

MOST_LISTED = 1000  # errors that are told one by one; all are counted
MOST_OF_A_SAMPLE = 50  # errors of one sample
LONGEST_NUMBER = 400  # digits; the range of numbers ends at 309


@dataclass
class Faults:
    """What is wrong with a delivery."""

    listed: list[FieldError] = field(default_factory=list)  # the first MOST_LISTED
    count: int = 0
    samples: int = 0  # that have a fault

    def add(self, place: str, errors: Iterable[FieldError]) -> None:
        """`place` is where the sample stands: "line 3"."""
        self.samples += 1
        for error in errors:
            self.count += 1
            if len(self.listed) < MOST_LISTED:
                named = f"{place}: {error.field}" if error.field else place
                self.listed.append(FieldError(_shown(named), _shown(error.message)))


class Check:
    """Blocks of whole lines in, blocks of whole lines with one good sample each out."""

    def __init__(self, sample: dict[str, Any], *, place: str = "line", files: Mapping[str, StoredFile] | None = None):
        self._sample = sample
        self._place = place
        self._files = files or {}
        properties = sample.get("properties", {})
        self._file_fields = {name for name in properties if properties[name]["x-ovd"]["kind"] in ("image", "file")}
        self._is_rewritten = bool(self._file_fields)
        self._quick = [] if self._is_rewritten else intake_types.quick(sample)
        self.samples = 0
        self.faults = Faults()
        self.digests: set[str] = set()  # of the files that good samples name
        self.next = 1  # number of the next line

    def block(self, block: bytes) -> bytes:
        """What of these lines is to be kept; each ends with a line feed. Blank lines are left out."""
        lines = block.split(b"\n")
        lines.pop()
        for quick in self._quick:
            if quick.accepts(block, lines):
                self._quick.sort(key=lambda one: one is not quick)  # the next block is probably like this one
                self.next += len(lines)
                self.samples += len(lines)
                return block
        return b"".join([*map(self.line, lines)])

    def line(self, line: bytes) -> bytes:
        """What of this line, which has no line feed, is to be kept: with one; nothing when it is blank or wrong."""
        number, self.next = self.next, self.next + 1
        if not line or line.isspace():
            return b""
        try:
            value = parse(line)
        except ValueError as error:
            return self.fault(number, [FieldError("", str(error))])
        return self.value(number, value, line)

    def value(self, number: int, value: Any, line: bytes | None = None) -> bytes:
        """As `line`, for a value that was parsed; what is kept is `line`, where it is known and need not change."""
        sample, errors = accept_sample(self._sample, self._bounded(value), self._files)
        if not errors and not self._sample["properties"]:
            errors = [FieldError("", why)] if (why := _unstorable(value)) else []
        if errors:
            return self.fault(number, errors[:MOST_OF_A_SAMPLE])
        self.samples += 1
        if line is not None and not self._is_rewritten:
            return line + b"\n"
        files = (sample.get(name) for name in self._file_fields)  # what else looks like a file is what somebody wrote
        self.digests.update(file["digest"] for file in files if file is not None)
        return written(sample)

    def _bounded(self, value: Any) -> Any:
        """The value, or of one with a flood of unknown fields so many that the sample surely is refused."""
        known = self._sample["properties"]
        if not known or not isinstance(value, dict) or len(value) <= len(known) + MOST_OF_A_SAMPLE:
            return value
        unknown = [name for name in value if name not in known][:MOST_OF_A_SAMPLE]
        return {name: value[name] for name in (*known, *unknown) if name in value}

    def fault(self, number: int, errors: Iterable[FieldError]) -> bytes:
        self.faults.add(f"{self._place} {number}", errors)
        return b""


def parse(line: bytes) -> Any:
    """The value of one line of JSON, stricter than Python: no NaN, no name twice. Raises ValueError with what is wrong,
    as the end of a sentence."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not text in UTF-8 (byte {error.start + 1}).") from None
    return loads(text)


def loads(text: str) -> Any:
    """As `parse`."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(_not_json(error)) from None
    except RecursionError:
        raise ValueError("is nested too deeply.") from None


def loads_at(text: str, place: int) -> tuple[Any, int]:
    """The value that begins at this character, and where it ends. Raises ValueError as `parse`."""
    try:
        return _DECODER.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg[0].lower()}{error.msg[1:]} (character {error.pos + 1}).") from None
    except RecursionError:
        raise ValueError("is nested too deeply.") from None


def written(value: Any) -> bytes:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _not_json(error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data" and error.pos:
        return f"is not one JSON object: there is more behind its end (column {error.colno})."
    if error.msg.startswith("Invalid control character"):
        return f"is not JSON: a text has a raw control character in it (column {error.colno})."
    return f"is not JSON: {error.msg[0].lower()}{error.msg[1:]} (column {error.colno})."


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'has "{_shown(twice, 60)}" twice.')
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"is not JSON: {name} is no number there. Write null where a value is missing.")


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"has a number of {len(digits)} digits; the range of numbers ends at 1.8e308.")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_whole)


def _unstorable(value: Any) -> str:
    """What no schema looked at: characters that are none, numbers that are not finite."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return "contains half of a surrogate pair, which is not a character."
    except ValueError:
        return "has a number beyond 1.8e308."
    return "contains a null character, which cannot be stored." if r"\u0000" in text and _has_nul(value) else ""


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in name or _has_nul(item) for name, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _shown(text: str, longest: int = 500) -> str:
    """As it may be sent back: of a bearable length, and with no half of a character."""
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
