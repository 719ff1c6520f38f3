"""Release changes: what differs between two releases, in words: in and outputs, manifest, packages. Floor 0: pure."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_COMPARED = 4_000  # lines of a text; longer ones are only said to differ
AROUND = 3  # lines shown around a difference
_LOCKED = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)")
_PLAIN = {  # what JSON Schema calls a bound -> how people do
    "minimum": "minimum", "maximum": "maximum", "maxLength": "longest", "default": "default", "title": "label",
    "description": "help", "enum": "choices",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One difference. `kind`: added | removed | changed."""

    kind: str
    what: str  # "input threshold", "numpy", "sleep.after"
    detail: str = ""  # "maximum 1 → 2"

    @property
    def sentence(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else f"{self.what} {self.kind}"


@dataclass(frozen=True)
class Line:
    """One line of two texts side by side. `kind`: same | added | removed | gap."""

    kind: str
    text: str
    before: int | None = None  # its number in the first one, from 1
    after: int | None = None


def of_schemas(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What callers notice: inputs, outputs and fields of a sample that came, went, or take something else."""
    found: list[Change] = []
    for side, noun in (("inputs", "input"), ("outputs", "output"), ("sample", "field of a sample")):
        old, new = ((schema.get(side) or {}) for schema in (before, after))
        known, wanted = old.get("properties", {}), new.get("properties", {})
        found += [Change("removed", f"{noun} {name}") for name in known if name not in wanted]
        found += [Change("added", f"{noun} {name}") for name in wanted if name not in known]
        for name in (name for name in wanted if name in known):
            details = _of_field(known[name], wanted[name])
            if (name in old.get("required", [])) != (name in new.get("required", [])):
                details.append("is required now" if name in new.get("required", []) else "is not required any more")
            found += [Change("changed", f"{noun} {name}", detail) for detail in details]
    return found


def _of_field(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old = {_PLAIN.get(key, key): value for key, value in before.items() if key not in ("x-ovd", "type", "properties")}
    new = {_PLAIN.get(key, key): value for key, value in after.items() if key not in ("x-ovd", "type", "properties")}
    old |= {key: value for key, value in before.get("x-ovd", {}).items() if key != "order"}
    new |= {key: value for key, value in after.get("x-ovd", {}).items() if key != "order"}
    return [
        f"{key.replace('_', ' ')} {_shown(old.get(key))} → {_shown(new.get(key))}"
        for key in dict.fromkeys((*old, *new))
        if key not in ("items", "required", "additionalProperties") and old.get(key) != new.get(key)
    ]


def of_manifests(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Keys of two manifests with defaults filled in that differ; fields are told by `of_schemas`."""
    old, new = _flat(before), _flat(after)
    return [
        Change("added", key, _shown(new[key])) if key not in old
        else Change("removed", key) if key not in new
        else Change("changed", key, f"{_shown(old[key])} → {_shown(new[key])}")
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]  # fmt: skip


def _flat(manifest: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in manifest.items():
        if key in ("description_text", "inputs", "outputs"):
            continue
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": one for inner, one in value.items() if inner != "sample"}
        elif value is not None:
            found[key] = value
    return found


def locked(lock: str) -> dict[str, str]:
    """Package -> version of a `requirements.lock`."""
    found = (_LOCKED.match(line) for line in lock.splitlines())
    return {one[1].lower().replace("_", "-"): one[2] for one in found if one}


def of_locks(before: str, after: str) -> list[Change]:
    """Packages that came, went, or have another version."""
    old, new = locked(before), locked(after)
    return [
        Change("added", name, new[name]) if name not in old
        else Change("removed", name, old[name]) if name not in new
        else Change("changed", name, f"{old[name]} → {new[name]}")
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]  # fmt: skip


def of_texts(before: str, after: str) -> list[Line] | None:
    """The lines that differ, with a few around them; None when there are too many to compare."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > LONGEST_COMPARED:
        return None
    found: list[Line] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=True).get_grouped_opcodes(AROUND):
        if found or group[0][1] or group[0][3]:
            found.append(Line("gap", f"lines {group[0][1] + 1} and on"))
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                found += [Line("same", old[at], at + 1, new_from + at - old_from + 1) for at in range(old_from, old_to)]
                continue
            found += [Line("removed", old[at], at + 1, None) for at in range(old_from, old_to)]
            found += [Line("added", new[at], None, at + 1) for at in range(new_from, new_to)]
    return found


def in_short(changes: Sequence[Change], most: int = 3) -> str:
    """The first few as one line: "input threshold: maximum 1 → 2; 4 more"."""
    said = [change.sentence for change in changes[:most]]
    rest = len(changes) - most
    return "; ".join([*said, f"{rest} more"] if rest > 0 else said)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return _cut(", ".join(_shown(inner) for inner in value) or "none")
    return _cut(f"{value:g}" if isinstance(value, float) else str(value))


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
