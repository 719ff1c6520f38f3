"""Rows of a schema: each of its fields as a row of a table, with kind, bounds and default. Floor 3."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ovd_saas.assets import kinds
from ovd_saas.assets.words import numeral

_KINDS = {
    "number": gettext_lazy("number"),
    "integer": gettext_lazy("whole number"),
    "boolean": gettext_lazy("yes or no"),
    "text": gettext_lazy("text"),
    "choice": gettext_lazy("choice"),
    "datetime": gettext_lazy("date with its time"),
    "image": gettext_lazy("picture"),
    "table": gettext_lazy("table"),
    "series": gettext_lazy("series"),
    "file": gettext_lazy("file"),
}
_DIGESTS = (  # of a learning run, by name
    gettext_lazy("Snapshot"),
    gettext_lazy("Parent"),
    gettext_lazy("Candidate"),
    gettext_lazy("Checkpoint"),
)


def of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Each field as a row: label, name, kind and how people call it, bounds, default."""
    properties = schema.get("properties", {})
    return [_field(name, properties[name], name in schema.get("required", [])) for name in kinds.ordered(properties)]


def _field(name: str, prop: dict[str, Any], is_required: bool) -> dict[str, Any]:
    hints = prop.get("x-ovd", {})
    least, most = prop.get("minimum"), prop.get("maximum")
    bounds = [
        _between(least, most),
        _(" or ").join(str(one) for one in prop.get("enum", [])),
        _long(hints.get("minimum_length")),
        kinds.kinds_of_file(hints.get("media_types", [])),
    ]
    kind = hints.get("kind", "")
    return {
        "name": name,
        "label": prop.get("title", name),
        "help": prop.get("description", ""),
        "kind": kind,
        "called": str(_KINDS.get(kind, kind)),
        "unit": hints.get("unit", ""),
        "bounds": "; ".join(one for one in bounds if one),
        "default": prop.get("default"),
        "is_required": is_required,
    }


def _between(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return _("{least} to {most}").format(least=_short(least), most=_short(most))
    if least is not None:
        return _("at least {least}").format(least=_short(least))
    return _("at most {most}").format(most=_short(most)) if most is not None else ""


def _short(value: float) -> str:
    return numeral(f"{value:g}")


def _long(least: int | None) -> str:
    return ngettext("at least {count} long", "at least {count} long", least).format(count=least) if least else ""
