"""Starters: applications that work and become somebody's own by a new name. Floor 2: may use files.

Two kinds: those of `ovd new`, made to be changed, and the platform's examples where it runs from a checkout.
"""

import gzip
import io
import json
import re
import tarfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import ovd
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.files import Stored
from ovd_saas.files import store as files

NEW = Path(ovd.__file__).parent / "starter"
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
_ORDER = ("python", "learning", "command")  # of `ovd new`
_NEVER = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")
_NAME = re.compile(rb'^name\s*=\s*"[^"\n]*"', re.MULTILINE)
_TITLE = re.compile(rb'^title\s*=\s*"[^"\n]*"', re.MULTILINE)


@dataclass(frozen=True)
class Starter:
    """One of them, as it tells about itself."""

    key: str  # "new/python", "example/water-flow"
    folder: Path
    title: str
    summary: str
    learns: bool
    is_example: bool


@lru_cache(maxsize=1)
def all_() -> tuple[Starter, ...]:
    """Those of `ovd new` first, then the examples by name."""
    new = [_read(f"new/{name}", NEW / name, is_example=False) for name in _ORDER if (NEW / name / "ovd.toml").is_file()]
    examples = [
        _read(f"example/{path.parent.name}", path.parent, is_example=True)
        for path in sorted(EXAMPLES.glob("*/ovd.toml"))
    ]
    return (*new, *examples)


def by_key(key: str) -> Starter:
    """Raises NotFound."""
    for one in all_():
        if one.key == key:
            return one
    raise NotFound(f"There is no starter {key[:60]!r}. Choose one of the list.")


def pack(starter: Starter, *, name: str, title: str = "") -> Stored:
    """Afterwards its folder, under that name, is a tar.gz in the file store; the same words give the same bytes."""
    shown = title or (name.replace("-", " ").capitalize() if not starter.is_example else "")
    return _store(_files(starter, name, shown))


def _files(starter: Starter, name: str, title: str) -> Iterator[tuple[str, bytes, int]]:
    """(path inside, bytes, mode)."""
    for path in sorted(starter.folder.rglob("*")):
        inside = path.relative_to(starter.folder).as_posix()
        if not path.is_file() or path.is_symlink() or any(part in _NEVER for part in path.parts):
            continue
        content = path.read_bytes()
        if starter.is_example:
            content = _renamed(content, name, title) if inside == "ovd.toml" else content
        else:
            inside = inside.replace("gitignore", ".gitignore")
            content = content.replace(b"{{name}}", name.encode()).replace(b"{{title}}", _quotable(title).encode())
        yield inside, content, 0o755 if path.stat().st_mode & 0o100 else 0o644


def _renamed(manifest: bytes, name: str, title: str) -> bytes:
    changed = _NAME.sub(lambda _: b"name = " + json.dumps(name).encode(), manifest, count=1)
    if title:
        words = json.dumps(_quotable(title), ensure_ascii=False).encode()
        changed = _TITLE.sub(lambda _: b"title = " + words, changed, count=1)
    return changed


def _quotable(title: str) -> str:
    """Without what would end a text in TOML or Python."""
    return re.sub(r'["\\\x00-\x1f\x7f]', " ", title)


def _store(entries: Iterable[tuple[str, bytes, int]]) -> Stored:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, content, mode in entries:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    writer = files.Writer()
    writer.write(packed.getvalue())
    return writer.commit()


def _read(key: str, folder: Path, *, is_example: bool) -> Starter:
    manifest = tomllib.loads((folder / "ovd.toml").read_text(encoding="utf-8"))
    title = manifest.get("title", "")
    return Starter(
        key=key, folder=folder, title=title if is_example else key.removeprefix("new/"),
        summary=manifest.get("summary", ""), learns="learn" in manifest, is_example=is_example,
    )  # fmt: skip
