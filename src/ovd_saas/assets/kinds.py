"""Kinds: how inputs and outputs are shown, by the kind that the schema gives them. Pure.

Each kind has a template for showing a value, `ovd/kinds/show_<kind>.html`, and one for asking, `ask_<kind>.html`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})  # browsers can show them
KINDS = ("number", "integer", "boolean", "text", "choice", "image", "table", "series", "file")
AUDIO = frozenset(
    {"audio/mpeg", "audio/wav", "audio/x-wav", "audio/ogg", "audio/opus", "audio/flac", "audio/x-flac", "audio/mp4",
     "audio/aac", "audio/webm"}
)  # fmt: skip
VIDEO = frozenset({"video/mp4", "video/webm", "video/ogg"})
INLINE = PICTURES | AUDIO | VIDEO  # what a page may show of bytes that anybody sent; the rest is saved
ROWS = 200  # of a table on a page; a download has all


@dataclass(frozen=True)
class Shown:
    """One value with what its schema says about it."""

    name: str
    kind: str
    label: str
    help: str
    unit: str
    value: Any
    url: str  # of the file's bytes, or of the values as CSV; "" where there is none

    @property
    def template(self) -> str:
        return f"ovd/kinds/show_{self.look}.html"

    @property
    def look(self) -> str:
        """Its kind; of a file, what browsers can play of it."""
        if self.kind != "file" or not isinstance(self.value, dict):
            return self.kind
        media_type = self.value.get("media_type")
        return (
            "audio"
            if media_type in AUDIO
            else "video"
            if media_type in VIDEO
            else "image"
            if self.is_picture
            else "file"
        )

    @property
    def is_picture(self) -> bool:
        return isinstance(self.value, dict) and self.value.get("media_type") in PICTURES

    @property
    def rows(self) -> list[Any]:
        return list(self.value["rows"][:ROWS])

    @property
    def hidden_rows(self) -> int:
        return max(0, len(self.value["rows"]) - ROWS)

    @property
    def is_short_json(self) -> bool:
        return len(str(self.value)) < 400

    @property
    def is_long(self) -> bool:
        return isinstance(self.value, str) and (len(self.value) > 60 or "\n" in self.value)


Address = Callable[[str, str, Any], str]  # (name, kind, value) -> URL, or ""


def shown(schema: Mapping[str, Any], values: Mapping[str, Any] | None, address: Address) -> list[Shown]:
    """Each value that is there, in the order of the schema; what the schema does not know comes last."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    values = values or {}
    names = [name for name in ordered(properties) if name in values]
    names += [name for name in values if name not in properties]
    return [_shown(name, properties.get(name, {}), values[name], address) for name in names]


def ordered(properties: Mapping[str, Any]) -> list[str]:
    return sorted(properties, key=lambda name: properties[name].get("x-ovd", {}).get("order", 0))


def _shown(name: str, prop: Mapping[str, Any], value: Any, address: Address) -> Shown:
    hints = prop.get("x-ovd", {})
    kind = hints.get("kind") or guess(value)
    if not fits(kind, value):
        kind = guess(value)
    return Shown(
        name=name,
        kind=kind,
        label=prop.get("title") or name.replace("_", " ").capitalize(),
        help=prop.get("description", ""),
        unit=hints.get("unit", ""),
        value=value,
        url=address(name, kind, value),
    )


def guess(value: Any) -> str:
    """The kind of a value whose schema is not known."""
    for kind in ("boolean", "integer", "number", "series", "table"):
        if fits(kind, value):
            return kind
    if isinstance(value, dict) and "digest" in value:
        return "image" if value.get("media_type") in PICTURES else "file"
    return "text" if isinstance(value, str) else "json"


def fits(kind: str, value: Any) -> bool:
    """Whether a value can be shown as this kind."""
    if kind == "series":
        return isinstance(value, dict) and isinstance(value.get("values"), list)
    if kind == "table":
        return isinstance(value, dict) and isinstance(value.get("rows"), list) and "columns" in value
    if kind in ("image", "file"):
        return isinstance(value, dict) and "name" in value
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("integer", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kind in ("text", "choice") and not isinstance(value, dict | list)


def kinds_of_file(media_types: list[str]) -> str:
    """ "PNG, JPEG", "any text"."""
    words = []
    for name in media_types:
        kind, _, detail = name.partition("/")
        words.append(f"any {kind}" if detail == "*" else detail.upper() if kind == "image" else name)
    return ", ".join(words)
