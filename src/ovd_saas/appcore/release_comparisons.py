"""Release comparisons: two releases side by side: what callers notice, settings, packages, files. Floor 2."""

from dataclasses import dataclass

from ovd_saas.appcore import release_archives as archives
from ovd_saas.domain import release_changes as changes
from ovd_saas.domain.release_changes import Change, Line
from ovd_saas.store.records import Release

MOST_TEXTS = 40  # files whose lines are shown
MOST_LINES = 2_000  # of all of them together
MOST_FILES = 300  # named


@dataclass(frozen=True)
class FileChange:
    """One file that came, went or differs."""

    kind: str  # added | removed | changed
    path: str
    lines: tuple[Line, ...] | None  # None: no text, or too long to compare

    @property
    def added(self) -> int:
        return sum(line.kind == "added" for line in self.lines or ())

    @property
    def removed(self) -> int:
        return sum(line.kind == "removed" for line in self.lines or ())


@dataclass(frozen=True)
class Comparison:
    """From `before` to `after`."""

    before: Release
    after: Release
    schema: list[Change]
    manifest: list[Change]
    packages: list[Change]
    files: list[FileChange]
    hidden_files: int  # that differ, too, and are not named

    @property
    def is_same(self) -> bool:
        return not (self.schema or self.manifest or self.packages or self.files)


def of(before: Release, after: Release) -> Comparison:
    """All that differs. Raises release_archives.Unreadable."""
    old = {file.path: file for file in archives.contents(before.digest)}
    new = {file.path: file for file in archives.contents(after.digest)}
    differing = sorted(
        path for path in {*old, *new}
        if path not in old or path not in new or old[path].digest != new[path].digest
    )  # fmt: skip
    named = differing[:MOST_FILES]
    shown = [path for path in named if all(side[path].is_shown for side in (old, new) if path in side)][:MOST_TEXTS]
    locks = {str((one.manifest.get("environment") or {}).get("lock", "requirements.lock")) for one in (before, after)}
    old_texts = archives.texts(before.digest, {*shown, *locks} & set(old))
    new_texts = archives.texts(after.digest, {*shown, *locks} & set(new))
    files, left = [], MOST_LINES
    for path in named:
        lines = None
        if path in shown and path not in locks and left > 0:
            lines = changes.of_texts(old_texts.get(path, ""), new_texts.get(path, ""))
            lines = lines if lines is not None and len(lines) <= left else None
            left -= len(lines or ())
        kind = "added" if path not in old else "removed" if path not in new else "changed"
        files.append(FileChange(kind, path, tuple(lines) if lines is not None else None))
    return Comparison(
        before=before,
        after=after,
        schema=of_schemas(before, after),
        manifest=changes.of_manifests(before.manifest, after.manifest) if before.manifest and after.manifest else [],
        packages=changes.of_locks(*(_lock(side, locks) for side in (old_texts, new_texts))),
        files=files,
        hidden_files=len(differing) - len(named),
    )


def of_schemas(before: Release, after: Release) -> list[Change]:
    """What callers notice; nothing, as long as one of them was not understood."""
    return changes.of_schemas(before.schema, after.schema) if before.schema and after.schema else []


def in_short(before: Release | None, after: Release) -> str:
    """What is new in a release, in one line, from what its rows say."""
    if before is None or not after.manifest:
        return ""
    if before.digest == after.digest:
        return ""
    known = of_schemas(before, after) + changes.of_manifests(before.manifest, after.manifest)
    return changes.in_short(known)


def _lock(texts: dict[str, str], locks: set[str]) -> str:
    return "\n".join(texts[name] for name in sorted(locks) if name in texts)
