"""Manifest keys: what an editor of manifests can offer, from the rules that check them. Floor 3: pure."""

import dataclasses
from functools import cache
from typing import Any

from ovd import meanings, rules
from ovd.fields import SAMPLE_KINDS

TABLES: dict[str, tuple[type, str]] = {  # table of ovd.toml -> its rules, its name in ovd.meanings
    "": (rules.About, "about"),
    "resources": (rules.Resources, "resources"),
    "execute": (rules.Execute, "execute"),
    "sleep": (rules.Sleep, "sleep"),
    "environment": (rules.Environment, "environment"),
    "network": (rules.Network, "network"),
    "learn": (rules.Learn, "learn"),
    "learn.sources": (rules.Source, "sources"),
    "gate": (rules.Gate, "gate"),
    "drift": (rules.Drift, "drift"),
    "authors": (rules.Author, "authors"),
}
LISTS = ("learn.sources", "authors")  # written [[so]]


@cache
def table() -> dict[str, Any]:
    """Tables with their keys: what each means, may be, and is when it is left out."""
    found: dict[str, Any] = {name: _keys(kind, told) for name, (kind, told) in TABLES.items()}
    fields = [_key(name, rule, meanings.OF_FIELDS[name]) for name, rule in rules.FIELD_RULES.items()]
    for name in ("inputs.*", "outputs.*", "learn.sample.*"):
        found[name] = fields
    return {"tables": found, "lists": LISTS, "sample_kinds": list(SAMPLE_KINDS)}


def _keys(kind: type, told: str) -> list[dict[str, Any]]:
    return [
        _key(field.name, field.metadata["rule"], meanings.MEANINGS[f"{told}.{field.name}"], field.default)
        for field in dataclasses.fields(kind)
        if "rule" in field.metadata
    ]


def _key(name: str, rule: rules.Rule, meaning: str, default: Any = None) -> dict[str, Any]:
    return {
        "name": name,
        "kind": rule.kind,
        "choices": list(rule.choices),
        "may_be": meanings.allowed(rule).replace("`", ""),
        "meaning": meaning.replace("`", ""),
        "default": list(default) if isinstance(default, tuple) else default,
    }
