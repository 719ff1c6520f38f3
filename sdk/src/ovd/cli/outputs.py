"""Outputs: the results of an execution on a terminal, and files of it in a folder."""

import json
from collections.abc import Mapping
from typing import Any

from ovd.uploads import size

SHOWN = 6  # values or rows of a longer output


def lines(outputs: "Mapping[str, Any]", schema: "Mapping[str, Any]") -> "list[str]":
    """One or more lines per output, under the label that the schema of the outputs gives it."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    found: list[str] = []
    for name in sorted(outputs, key=lambda name: int(_hints(properties, name).get("order") or 0)):
        value, field = outputs[name], properties.get(name) or {}
        unit = _hints(properties, name).get("unit") or ""
        title = field.get("title") or name
        first, *rest = _shown(value)
        found.append(f"{title}: {first}" + (f" {unit}" if unit and is_number(value) else ""))
        found.extend(f"  {line}" for line in rest)
    return found


def _hints(properties: "Mapping[str, Any]", name: str) -> "Mapping[str, Any]":
    return (properties.get(name) or {}).get("x-ovd") or {}


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_file(value: Any) -> bool:
    return isinstance(value, dict) and "media_type" in value


def _shown(value: Any) -> "list[str]":
    if is_file(value):
        return [f"{value.get('name')} ({value['media_type']}, {size(int(value.get('size') or 0))})"]
    if isinstance(value, dict) and "values" in value:
        return [_some(value["values"])]
    if isinstance(value, dict) and "rows" in value:
        rows = [" | ".join(str(cell) for cell in row) for row in value["rows"][:SHOWN]]
        more = [f"… {len(value['rows']) - SHOWN} more"] if len(value["rows"]) > SHOWN else []
        return [f"{len(value['rows'])} rows", " | ".join(value["columns"]), *rows, *more]
    if isinstance(value, str):
        return value.splitlines() or [""]
    return [json.dumps(value, ensure_ascii=False)]


def _some(values: "list[Any]") -> str:
    """`7 values: 1, 2, 3, …, 7`"""
    texts = ["–" if value is None else f"{value:.6g}" for value in values]
    if len(texts) > SHOWN:
        texts = [*texts[: SHOWN - 1], "…", texts[-1]]
    return f"{len(values)} values: {', '.join(texts)}"
