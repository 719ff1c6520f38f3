"""Asked: one input as a field that a person fills in, made from its schema. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHORT_LIST = 5  # choices that are shown as buttons; more are a list


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
