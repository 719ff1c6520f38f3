"""Form: the inputs of a release as fields that a person fills in, made from its schema. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ovd_saas.assets import kinds

SHORT_LIST = 5  # choices that are shown as buttons; more are a list
FILES = ("image", "file")
TYPED = ("series", "table")  # typed, pasted or dropped as CSV


@dataclass(frozen=True)
class Prefilled:
    """A file that is there already: of a sample or of an earlier execution."""

    name: str
    url: str
    origin: str  # "sample:NAME" or "execution:ID"; the server finds the bytes by it
    is_picture: bool
    media_type: str


@dataclass(frozen=True)
class Asked:
    """One field."""

    name: str
    kind: str
    prop: Mapping[str, Any]
    is_required: bool
    value: Any = None  # as in JSON; of a series or table, what its text box holds
    file: Prefilled | None = None
    errors: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        return f"ovd/kinds/ask_{self.kind}.html"

    @property
    def hints(self) -> Mapping[str, Any]:
        hints: Mapping[str, Any] = self.prop.get("x-ovd", {})
        return hints

    @property
    def label(self) -> str:
        return str(self.prop.get("title") or self.name)

    @property
    def id(self) -> str:
        return f"in-{self.name}"

    @property
    def is_bounded(self) -> bool:
        return "minimum" in self.prop and "maximum" in self.prop

    @property
    def step(self) -> Any:
        if self.hints.get("step"):
            return self.hints["step"]
        return 1 if self.kind == "integer" else "any"

    @property
    def slider_step(self) -> Any:
        """A slider cannot step by `any` sensibly: a hundred steps, rounded to a power of ten."""
        if self.step != "any":
            return self.step
        span = float(self.prop["maximum"]) - float(self.prop["minimum"])
        return float(f"1e{len(str(int(span))) - 4}") if span >= 1 else span / 100

    @property
    def choices(self) -> list[dict[str, Any]]:
        labels = self.hints.get("labels") or []
        return [
            {
                "json": json.dumps(value),
                "label": labels[place] if place < len(labels) else str(value),
                "is_chosen": value == self.value,
                "id": f"{self.id}-{place}",
            }
            for place, value in enumerate(self.prop.get("enum", []))
        ]

    @property
    def is_short_list(self) -> bool:
        return len(self.prop.get("enum", [])) <= SHORT_LIST

    @property
    def accept(self) -> str:
        usual = {"image": "image/*", "series": ".csv,.json,.txt,.tsv", "table": ".csv,.json,.txt,.tsv"}
        return ",".join(self.hints.get("media_types", [])) or usual.get(self.kind, "")

    @property
    def default_json(self) -> str:
        return json.dumps(self.prop["default"]) if "default" in self.prop else ""


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
