"""Arrivals: unpack an archive and read its manifest, in a process of its own because a hostile file may take any memory
and time: `python -m ovd_saas.runner.arrivals ARCHIVE FOLDER`. Prints one line of JSON."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from ovd import manifest
from ovd_saas.runner import archives

LONGEST_TEXT = 256 << 10  # characters of a description
LEFT_OUT = ("lines", "inputs", "outputs")  # positions, and fields that the schema tells better


def arrive(archive: Path, folder: Path) -> dict[str, Any]:
    """`{"manifest": …}`, or `{"stage": …, "message": …}` when the release is refused."""
    try:
        archives.unpack(archive, folder)
    except archives.ArchiveRefused as refusal:
        return {"stage": "unpack", "message": str(refusal)}
    try:
        return {"manifest": as_json(manifest.load(folder), folder)}
    except manifest.ManifestError as error:
        return {"stage": "manifest", "message": str(error)}


def as_json(found: manifest.Manifest, folder: Path) -> dict[str, Any]:
    """The manifest as plain values, with the text of its description under `description_text`."""
    plain = {
        name: _plain(getattr(found, name))
        for name in (field.name for field in dataclasses.fields(found))
        if name not in LEFT_OUT
    }
    if found.learn is not None:
        plain["learn"]["sample"] = {field.name: field.kind for field in found.learn.sample}  # the schema tells more
    text = ""
    if found.description and _is_inside(folder / found.description, folder):
        text = (folder / found.description).read_text(errors="replace")[:LONGEST_TEXT]
    return plain | {"description_text": text}


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _is_inside(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve()) and file.is_file()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(arrive(Path(sys.argv[1]), Path(sys.argv[2])), default=dataclasses.asdict) + "\n")
