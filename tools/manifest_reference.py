"""Writes docs/reference/manifest.md: every key of `ovd.toml`, its default and what it may be, from ovd.rules."""

import dataclasses
from pathlib import Path

from ovd import rules
from ovd.fields import KINDS, SAMPLE_KINDS
from ovd.meanings import MEANINGS, OF_FIELDS, allowed
from ovd.rules import Rule

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path("docs/reference/manifest.md")
TEMPLATE = ROOT / "tools/manifest_page.md"
TABLES = {
    "about": rules.About,
    "authors": rules.Author,
    "resources": rules.Resources,
    "execute": rules.Execute,
    "sleep": rules.Sleep,
    "environment": rules.Environment,
    "network": rules.Network,
    "learn": rules.Learn,
    "sources": rules.Source,
    "gate": rules.Gate,
    "drift": rules.Drift,
}


def page() -> str:
    """The whole page. Raises KeyError when a key of the rules has no meaning here."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, kind in TABLES.items():
        text = text.replace("{{" + name + "}}", table(name, kind))
    text = text.replace("{{fields}}", "\n".join(_field(name, rule) for name, rule in rules.FIELD_RULES.items()))
    return text.replace("{{kinds}}", _listed(KINDS)).replace("{{sample_kinds}}", _listed(SAMPLE_KINDS))


def table(name: str, kind: type) -> str:
    """One row for each key."""
    rows = ["| key | default | may be | means |", "|---|---|---|---|"]
    for field in dataclasses.fields(kind):
        if "rule" in field.metadata:
            meaning = MEANINGS[f"{name}.{field.name}"]
            rows.append(f"| `{field.name}` | {_default(field)} | {allowed(field.metadata['rule'])} | {meaning} |")
    return "\n".join(rows)


def _default(field: "dataclasses.Field[object]") -> str:
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", ()):
        return "–"
    if isinstance(value, tuple):
        return f"`{list(value)!r}`".replace("'", '"')
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _field(name: str, rule: Rule) -> str:
    return f"| `{name}` | {'a kind' if name == 'kind' else allowed(rule)} | {OF_FIELDS[name]} |"


def _listed(names: "tuple[str, ...]") -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
