"""Samples of a batch as rows of a table, its columns in the order of the schema, each value by its kind. Floor 3."""

import json
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from ovd_saas.assets import kinds
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store.records import Batch

READ = 1 << 20  # bytes that one page of samples reads at most
LONGEST = 80  # characters of a text in a cell
WIDE, HIGH = 120.0, 28.0  # of the little picture of a series


class NoSuchPlace(Exception):
    """No sample begins at this byte."""


@dataclass(frozen=True)
class Samples:
    """Some samples of a batch."""

    columns: list[dict[str, Any]]  # {name, label, unit}
    rows: list[tuple[int, list[dict[str, Any]]]]  # the number of the sample, and its cells
    first: int  # number of the first sample, 1 = the first of the batch
    next_at: int | None  # where the next ones begin, a byte; None: these are the last
    rest: int  # samples after these

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def read(batch: Batch, schema: dict[str, Any], *, at: int = 0, first: int = 1, most: int) -> Samples | None:
    """At most so many samples from the byte `at` on, where number `first` begins; None when the bytes are gone. Raises
    NoSuchPlace."""
    if batch.taken_down_at is not None:
        return None
    try:
        lines, ends = _lines(batch, at, most)
    except Missing:
        return None
    samples = [(first + index, value) for index, value in enumerate(map(_parsed, lines))]
    objects = [one for _number, one in samples if isinstance(one, dict)]
    columns = _columns(schema.get("properties", {}), objects)
    return Samples(
        columns=columns,
        rows=[
            (number, [_cell(batch, one.get(column["name"])) for column in columns])
            for number, one in samples
            if isinstance(one, dict)
        ],
        first=first,
        next_at=ends if ends < batch.size else None,
        rest=max(0, batch.samples - (first - 1) - len(lines)),
    )


def _lines(batch: Batch, at: int, most: int) -> tuple[list[bytes], int]:
    """Whole lines, and the byte after them. Raises Missing, NoSuchPlace."""
    with files.open(batch.digest) as opened:
        if at:
            opened.seek(at - 1)
            if opened.read(1) != b"\n":
                raise NoSuchPlace
        block = opened.read(READ)
    lines = block.split(b"\n")
    rest = lines.pop()  # cut off, or what stands after the last line
    if rest and at + len(block) >= batch.size:
        lines.append(rest)
    if not lines:
        return [], batch.size  # one sample is longer than a page can show
    lines = lines[:most]
    return lines, at + sum(len(line) + 1 for line in lines)


def _columns(properties: dict[str, Any], samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    there = {name for sample in samples for name in sample}
    names = [name for name in kinds.ordered(properties) if name in there]
    names += [name for sample in samples for name in sample]
    return [
        {
            "name": name,
            "label": properties.get(name, {}).get("title") or name,
            "unit": properties.get(name, {}).get("x-ovd", {}).get("unit", ""),
        }
        for name in dict.fromkeys(names)
    ]


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _cell(batch: Batch, value: Any) -> dict[str, Any]:
    """A value of a sample: a picture, sound, film, a file, a series as a little picture, or its text."""
    if isinstance(value, dict) and "digest" in value and "media_type" in value:
        return _file(batch, value)
    if kinds.fits("series", value):
        return {"line": sparkline(value["values"]), "count": len(value["values"])}
    if kinds.fits("table", value):
        return {"table": len(value["rows"])}
    if isinstance(value, dict | list):
        return {"text": _cut(json.dumps(value, ensure_ascii=False))}
    if isinstance(value, str) and len(value) > LONGEST:
        return {"words": _cut(value), "whole": value[:2000]}
    return {"value": value}


def _file(batch: Batch, value: dict[str, Any]) -> dict[str, Any]:
    media_type = value["media_type"]
    address = [batch.application.organisation.slug, batch.application.name, batch.number, value["digest"]]
    url = reverse("panel:batch_file", args=address) if value["digest"] in batch.files else ""
    if media_type in kinds.AUDIO | kinds.VIDEO and url:
        url = f"{url}?as={media_type}"
    return {
        "file": value,
        "url": url,
        "is_picture": media_type in kinds.PICTURES,
        "is_audio": media_type in kinds.AUDIO,
        "is_video": media_type in kinds.VIDEO,
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def sparkline(values: list[Any], *, most: int = 120) -> str:
    """The points of an SVG line, WIDE by HIGH; what is missing is left out."""
    step = max(1, len(values) // most)
    known = [
        (index, float(value))
        for index, value in enumerate(values)
        if index % step == 0 and isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(known) < 2:
        return ""
    low, high = min(value for _index, value in known), max(value for _index, value in known)
    across, up = WIDE / max(1, len(values) - 1), (HIGH - 4) / ((high - low) or 1)
    return " ".join(f"{index * across:.1f},{HIGH - 2 - (value - low) * up:.1f}" for index, value in known)
