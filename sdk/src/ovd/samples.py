"""Samples of a folder: example inputs with credit, which are also the golden runs of `ovd check`."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ovd import schema, sniff
from ovd.fields import FILE_KINDS
from ovd.nearest import did_you_mean
from ovd.problems import Problem
from ovd.uploads import FileHead

FOLDER = "samples"
TOLERANCE = 1e-6
_KEYS = ("title", "credit", "licence", "inputs", "expect", "tolerance")


@dataclasses.dataclass(frozen=True)
class Sample:
    """One file of the folder `samples`."""

    name: str  # of the file, without .json
    title: str
    credit: str
    licence: str
    inputs: Dict[str, Any]  # as written; a file is {"file": "name beside the sample"}
    accepted: Dict[str, Any]  # canonical, with defaults; a file is {"upload": field}
    files: Mapping[str, Path]  # by field
    expect: Optional[Dict[str, Any]]
    tolerance: float

    @property
    def described(self) -> Dict[str, Any]:
        """As it stands in the schema document."""
        return {key: getattr(self, key) for key in ("name", "title", "credit", "licence", "inputs")}


def read(folder: Path, inputs: Dict[str, Any], outputs: Dict[str, Any]) -> Tuple[List[Sample], List[Problem]]:
    """All samples of the application in `folder`, by name, and what is wrong with them."""
    found: List[Sample] = []
    problems: List[Problem] = []
    for path in sorted((folder / FOLDER).glob("*.json")):
        if path.name.startswith("."):
            continue
        reading = _Reading(path, problems)
        sample = reading.sample(inputs, outputs)
        if sample is not None:
            found.append(sample)
    return found, problems


class _Reading:
    def __init__(self, path: Path, problems: List[Problem]) -> None:
        self.path = path
        self.problems = problems
        self.text = ""

    def complain(self, key: str, message: str, cure: str, line: int = 0) -> None:
        line = line or self.line_of(key)
        self.problems.append(Problem(f"{FOLDER}/{self.path.name}", line, key, message, cure))

    def line_of(self, key: str) -> int:
        wanted = json.dumps(key, ensure_ascii=False)
        for number, line in enumerate(self.text.splitlines(), start=1):
            if wanted in line:
                return number
        return 0

    def sample(self, inputs: Dict[str, Any], outputs: Dict[str, Any]) -> Optional[Sample]:
        before = len(self.problems)
        document = self.document()
        if document is None:
            return None
        for key in document:
            if key not in _KEYS:
                self.complain(key, f'Unknown key "{key}".', did_you_mean(key, _KEYS).strip())
        texts = {key: self.plain_text(document, key) for key in ("title", "credit", "licence")}
        given = document.get("inputs")
        if not isinstance(given, dict):
            self.complain("inputs", "There is no object of inputs.", 'Write "inputs": {…}.')
            return None
        files = self.files(given, inputs)
        if len(self.problems) > before:
            return None
        plain = {name: value for name, value in given.items() if name not in files}
        heads = {name: head_of(path) for name, path in files.items()}
        accepted, errors = schema.accept(inputs, plain, heads)
        for error in errors:
            self.complain(error.field, f'Input "{error.field}" {error.message}', "Change the sample or the signature.")
        expect, tolerance = self.expectation(document, outputs)
        if len(self.problems) > before:
            return None
        title = texts["title"] or self.path.stem.replace("-", " ").capitalize()
        return Sample(
            self.path.stem, title, texts["credit"], texts["licence"], given, accepted, files, expect, tolerance
        )

    def document(self) -> Optional[Dict[str, Any]]:
        try:
            self.text = self.path.read_text(encoding="utf-8")
            document = json.loads(self.text)
        except (OSError, UnicodeDecodeError) as error:
            self.complain("", f"Cannot be read: {error}.", "Save it as UTF-8 text.")
            return None
        except json.JSONDecodeError as error:
            self.complain("", f"Not JSON: {error.msg}.", "Cure it there, or just before.", error.lineno)
            return None
        if not isinstance(document, dict):
            self.complain("", "Must be an object.", 'Write {"title": "…", "inputs": {…}}.', 1)
            return None
        return document

    def plain_text(self, document: Dict[str, Any], key: str) -> str:
        value = document.get(key, "")
        if not isinstance(value, str):
            self.complain(key, f"The {key} must be a text.", "Put it in double quotes.")
            return ""
        return value

    def files(self, given: Dict[str, Any], inputs: Dict[str, Any]) -> Dict[str, Path]:
        found: Dict[str, Path] = {}
        for name, value in given.items():
            kind = inputs["properties"].get(name, {}).get("x-ovd", {}).get("kind")
            if kind not in FILE_KINDS or not isinstance(value, dict) or set(value) != {"file"}:
                continue
            path = self.beside(str(value["file"]))
            if path is None:
                message = f'Input "{name}": the file {value["file"]!r} is not beside the sample.'
                self.complain(name, message, f"Put it in {FOLDER}/.")
            else:
                found[name] = path
        return found

    def beside(self, name: str) -> Optional[Path]:
        path = (self.path.parent / name).resolve()
        is_inside = self.path.parent.resolve() in path.parents
        return path if is_inside and path.is_file() else None

    def expectation(self, document: Dict[str, Any], outputs: Dict[str, Any]) -> Tuple[Optional[Dict[str, Any]], float]:
        expect, tolerance = document.get("expect"), document.get("tolerance", TOLERANCE)
        if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not tolerance >= 0:
            self.complain("tolerance", "The tolerance must be a number from 0 up.", "Write for example 1e-6.")
            tolerance = TOLERANCE
        if expect is None:
            return None, tolerance
        if not isinstance(expect, dict):
            self.complain("expect", "What is expected must be an object of outputs.", 'Write "expect": {…}.')
            return None, tolerance
        for name in expect:
            if name not in outputs["properties"]:
                cure = did_you_mean(name, outputs["properties"]).strip()
                self.complain(name, f'Output "{name}" is expected but not declared.', cure)
        return expect, tolerance


def head_of(path: Path) -> FileHead:
    """The head of a file on this machine."""
    head = sniff.head_of(path)
    return FileHead(path.name, sniff.media_type(path.name, head), path.stat().st_size, head)


def difference(expected: Any, found: Any, tolerance: float, place: str = "") -> str:
    """Where `found` first differs from `expected`, in words; empty when it does not."""
    if isinstance(expected, bool) or isinstance(found, bool) or expected is None or found is None:
        return "" if expected is found else _differs(place, expected, found)
    if isinstance(expected, (int, float)) and isinstance(found, (int, float)):
        near = math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance)
        return "" if near else _differs(place, expected, found)
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key not in found:
                return f"{place}.{key} is missing".lstrip(".")
            inner = difference(value, found[key], tolerance, f"{place}.{key}".lstrip("."))
            if inner:
                return inner
        return ""
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{place} has {len(found)} items, expected {len(expected)}"
        pairs = enumerate(zip(expected, found))
        return next(filter(None, (difference(a, b, tolerance, f"{place}[{n}]") for n, (a, b) in pairs)), "")
    return "" if expected == found else _differs(place, expected, found)


def _differs(place: str, expected: Any, found: Any) -> str:
    shown = [text if len(text) <= 80 else text[:79] + "…" for text in (repr(expected), repr(found))]
    return f"{place} is {shown[1]}, expected {shown[0]}"
