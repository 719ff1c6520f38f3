"""Declared fields: what a manifest says of the inputs and outputs of a command, and of the samples that an application
learns from."""

import re
from typing import Any, Callable, Dict, Tuple

from ovd.fields import IMAGE_TYPES, REQUIRED, SAMPLE_KINDS, Field
from ovd.nearest import did_you_mean
from ovd.rules import FIELD_RULES, Rule

Path = Tuple[str, ...]  # keys of the manifest, from the outermost
Complain = Callable[[Path, str, str], None]  # path, message, cure

_OF_FORMS = ("file", "advanced", "step", "multiline")  # keys that mean nothing in a sample
_RENAMED = {"minimum_rows": "minimum_length", "maximum_rows": "maximum_length"}


def of_command(side: str, value: Any, complain: Complain) -> Tuple[Field, ...]:
    """The fields of the table `side`, which is inputs or outputs."""
    if not isinstance(value, dict):
        complain((side,), "Must be a table.", f"Write [{side}.NAME] and below it kind, label, ….")
        return ()
    return tuple(_put(side, name, spec, complain) for name, spec in value.items())


def _put(side: str, name: str, spec: Any, complain: Complain) -> Field:
    path = (side, name)
    _named(path, name, complain)
    if not isinstance(spec, dict):
        complain(path, "Must be a table.", f"Write [{side}.{name}] and below it kind, label, ….")
        return Field("text", name=name)
    rules = {key: rule for key, rule in FIELD_RULES.items() if side == "outputs" or key != "file"}
    good = _read(path, spec, rules, complain, has_default=side == "inputs")
    if side == "outputs" and spec.get("kind") in ("image", "file", "table", "series") and not spec.get("file"):
        complain(path, "There is no file.", 'Write file = "…": the file your program writes.')
    good.setdefault("default", REQUIRED)
    return Field(name=name, **good)


def of_sample(value: Any, complain: Complain) -> Tuple[Field, ...]:
    """The fields of the table [learn.sample]: each is a kind, or a table that says more."""
    path = ("learn", "sample")
    if not isinstance(value, dict):
        complain(path, "Must be a table.", "Write [learn.sample] and below it the fields of one sample.")
        return ()
    return tuple(_part((*path, name), name, spec, complain) for name, spec in value.items())


def _part(path: Path, name: str, spec: Any, complain: Complain) -> Field:
    _named(path, name, complain)
    if not isinstance(spec, (str, dict)):
        cure = f'Write {name} = "number", or {name} = {{ kind = "number", optional = true }}.'
        complain(path, "Must be a kind, or a table.", cure)
        return Field("text", name=name)
    if isinstance(spec, str):
        _kind(path, name, spec, complain)
        spec = {"kind": spec}
        complain = _ignore  # it is told
    rules = {key: rule for key, rule in FIELD_RULES.items() if key not in _OF_FORMS}
    good = _read(path, spec, {**rules, "kind": Rule("text", choices=SAMPLE_KINDS)}, complain)
    if "choices" in good and good["kind"] != "choice":
        complain(path, f"A field of kind {good['kind']} has no choices.", 'Write kind = "choice".')
    if good["kind"] == "image":
        good.setdefault("media_types", IMAGE_TYPES)
    return Field(name=name, **good)


def _kind(path: Path, name: str, kind: str, complain: Complain) -> None:
    fault = Rule("text", choices=SAMPLE_KINDS).fault(kind)
    if fault:
        complain(path, f"The kind of {name} {fault}", did_you_mean(kind, SAMPLE_KINDS).strip())
    elif kind == "choice":
        complain(path, "A choice needs choices.", f'Write {name} = {{ kind = "choice", choices = ["…", "…"] }}.')


def _named(path: Path, name: str, complain: Complain) -> None:
    if not name.isidentifier():
        complain(path, f"{name!r} is not a name.", "Use letters, digits and underscores.")


def _ignore(path: Path, message: str, cure: str) -> None:
    return None


def _read(
    path: Path, spec: Dict[str, Any], rules: Dict[str, Rule], complain: Complain, *, has_default: bool = False
) -> Dict[str, Any]:
    """What a table says of one field, by the names that Field has; `kind` is always there."""
    also = ("default", "choices") if has_default else ("choices",)
    good: Dict[str, Any] = {}
    for key, value in spec.items():
        if key == "default" and has_default:
            good["default"] = value
        elif key == "choices" and isinstance(value, (list, dict)):
            good["choices"] = tuple(value)
            good["labels"] = tuple(str(label) for label in value.values()) if isinstance(value, dict) else ()
        elif key not in rules:
            cure = did_you_mean(key, (*rules, *also)).strip()
            complain((*path, key), f"Unknown key {key!r} in [{'.'.join(path)}].", cure)
        elif rules[key].fault(value):
            cure = did_you_mean(str(value), rules[key].choices).strip() if rules[key].choices else ""
            complain((*path, key), f"The value of {key} {rules[key].fault(value)}", cure)
        else:
            good[_RENAMED.get(key, key)] = tuple(value) if isinstance(value, list) else value
    _whole(path, spec, good, rules, complain)
    good.setdefault("kind", "text")
    return good


def _whole(path: Path, spec: Dict[str, Any], good: Dict[str, Any], rules: Dict[str, Rule], complain: Complain) -> None:
    """What no key can know alone."""
    if "kind" not in spec:
        complain(path, "There is no kind.", f"Write kind = one of {', '.join(rules['kind'].choices)}.")
    if spec.get("kind") == "choice" and not spec.get("choices"):
        complain(path, "A choice needs choices.", 'Write choices = ["…", "…"].')
    for least, most in (("minimum", "maximum"), ("minimum_length", "maximum_length")):
        if good.get(least) is not None and good.get(most) is not None and good[least] > good[most]:
            complain(path, f"The {least} {good[least]} is over the {most} {good[most]}.", "Change one of them.")
    try:
        re.compile(good.get("pattern", ""))
    except re.error as error:
        complain((*path, "pattern"), f"The pattern is no regular expression: {error}.", "Change it.")
