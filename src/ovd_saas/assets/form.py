"""Form: the inputs of a release as fields that a person fills in, made from its schema. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ovd_saas.assets import kinds
from ovd_saas.assets.asked import Asked, Prefilled

__all__ = ["FILES", "TYPED", "Asked", "Prefilled", "asked", "headed", "text_of", "with_errors"]

FILES = ("image", "file")
TYPED = ("series", "table")  # typed, pasted or dropped as CSV


def asked(schema: Mapping[str, Any], values: Mapping[str, Any], files: Mapping[str, Prefilled]) -> list[Asked]:
    """Every input in the order of the schema, filled with `values`, else with its default."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", [])
    return [
        _asked(name, properties[name], name in required, values, files.get(name)) for name in kinds.ordered(properties)
    ]


def _asked(
    name: str, prop: Mapping[str, Any], is_required: bool, values: Mapping[str, Any], file: Prefilled | None
) -> Asked:
    kind = prop.get("x-ovd", {}).get("kind", "text")
    value = values.get(name, prop.get("default"))
    if kind in TYPED and value is not None:
        value = text_of(kind, value)
    return Asked(name, kind, prop, is_required, value, file)


def with_errors(fields: list[Asked], errors: Mapping[str, list[str]]) -> list[Asked]:
    return [replace(field, errors=tuple(errors.get(field.name, ()))) for field in fields]


def text_of(kind: str, value: Any) -> str:
    """A series or a table as the CSV that a text box holds."""
    if isinstance(value, str):
        return value
    if kind == "series":
        value = value if isinstance(value, dict) else {"times": [], "values": value}
        times, numbers = value.get("times") or [], ["" if one is None else f"{one}" for one in value["values"]]
        if times:
            return "\n".join(["time,value", *(f"{time},{one}" for time, one in zip(times, numbers, strict=False))])
        return "\n".join(["value", *numbers])
    if isinstance(value, list):  # of objects
        columns = list(dict.fromkeys(key for row in value for key in row))
        value = {"columns": columns, "rows": [[row.get(column) for column in columns] for row in value]}
    rows = [value["columns"], *value["rows"]]
    return "\n".join(",".join(_cell(cell) for cell in row) for row in rows)


def _cell(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n;\t') else text


def headed(text: str) -> str:
    """Typed numbers as CSV with the header that a series needs: one a line, or all on one line, or as it is."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if len(lines) == 1 and all(map(_is_number, lines[0].replace(",", " ").replace(";", " ").split())):
        lines = lines[0].replace(",", " ").replace(";", " ").split()
    if not lines or text.lstrip()[:1] in "[{":
        return text
    mark = max(",;\t", key=lines[0].count)
    cells = lines[0].split(mark)
    if not _is_number(cells[-1]):
        return "\n".join(lines)
    return "\n".join([f"time{mark}value" if len(cells) == 2 else "value", *lines])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
