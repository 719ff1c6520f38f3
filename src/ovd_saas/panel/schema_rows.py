"""Rows of a schema: each of its fields as a row of a table, with kind, bounds and default. Floor 3."""

from typing import Any

from ovd_saas.assets import kinds


def of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Each field as a row: label, name, kind, bounds, default."""
    properties = schema.get("properties", {})
    return [_field(name, properties[name], name in schema.get("required", [])) for name in kinds.ordered(properties)]


def _field(name: str, prop: dict[str, Any], is_required: bool) -> dict[str, Any]:
    hints = prop.get("x-ovd", {})
    least, most = prop.get("minimum"), prop.get("maximum")
    bounds = [
        f"{least:g} to {most:g}" if least is not None and most is not None
        else f"at least {least:g}" if least is not None
        else f"at most {most:g}" if most is not None
        else "",
        " or ".join(str(one) for one in prop.get("enum", [])),
        f"at least {hints['minimum_length']} long" if hints.get("minimum_length") else "",
        kinds.kinds_of_file(hints.get("media_types", [])),
    ]  # fmt: skip
    return {
        "name": name,
        "label": prop.get("title", name),
        "help": prop.get("description", ""),
        "kind": hints.get("kind", ""),
        "unit": hints.get("unit", ""),
        "bounds": "; ".join(one for one in bounds if one),
        "default": prop.get("default"),
        "is_required": is_required,
    }
