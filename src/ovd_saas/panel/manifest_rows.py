"""Manifest rows: a manifest with its defaults as it is read by people, table by table. Floor 3: pure."""

from typing import Any

from django.utils.translation import gettext as _

_ORDER = (
    "name", "title", "summary", "licence", "authors", "paper", "credits", "tags", "entry", "command", "description",
    "resources", "execute", "sleep", "environment", "network", "learn", "gate", "drift",
)  # fmt: skip
_SHOWN_ELSEWHERE = ("description_text", "inputs", "outputs", "sample")


def of(manifest: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The manifest as it is read: what it says about itself, then each of its tables."""
    names = [*_ORDER, *(name for name in manifest if name not in _ORDER)]
    values = {name: manifest[name] for name in names if name in manifest and name not in _SHOWN_ELSEWHERE}
    about = {name: value for name, value in values.items() if not isinstance(value, dict)}
    tables = [("", about), *((name, value) for name, value in values.items() if isinstance(value, dict))]
    said = [
        (
            name,
            [
                (key, _said(value))
                for key, value in rows.items()
                if key not in _SHOWN_ELSEWHERE and not _is_empty(value)
            ],
        )
        for name, rows in tables
    ]
    return [(name, rows) for name, rows in said if rows]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        return ", ".join(_said(inner) for inner in value.values() if not _is_empty(inner))
    if isinstance(value, list):
        return "; ".join(_said(inner) for inner in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
