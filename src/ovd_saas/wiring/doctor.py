"""`ovd doctor`: what this machine offers to the platform, and what is missing. Floor 4."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ovd_saas.runner import configuration, walls
from ovd_saas.wiring import home
from ovd_saas.wiring.postgres import PostgresFailed, binaries

LEAST_FREE_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    is_fine: bool
    says: str
    is_needed: bool = True  # the platform cannot do without

    @property
    def sign(self) -> str:
        return "✓" if self.is_fine else "✗" if self.is_needed else "–"


def examine() -> None:
    """Prints one line a finding; ends with 1 when something is missing that is needed: the walls that OVD_WALLS names
    are."""
    findings = list(look())
    for finding in findings:
        print(f"{finding.sign} {finding.what:<18} {finding.says}")  # noqa: T201
    raise SystemExit(0 if all(finding.is_fine or not finding.is_needed for finding in findings) else 1)


def look() -> Iterator[Finding]:
    yield Finding("Python", sys.version_info >= (3, 11), f"{sys.version.split()[0]}, 3.11 or newer is needed")
    yield _database()
    yield _pages()
    folder = home.folder()
    free = shutil.disk_usage(folder).free / 1e9
    yield Finding("disk", free > LEAST_FREE_GB, f"{free:.1f} GB free below {folder}")
    run = home.run_folder(folder)
    yield Finding("sockets", os.access(run, os.W_OK), f"in {run}")
    yield _command("uv", lambda: shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv"))
    yield Finding("user", True, "root" if os.getuid() == 0 else f"an ordinary user (uid {os.getuid()})")
    yield from _walls()


def _walls() -> Iterator[Finding]:
    """What stands around applications here, and why the rest does not."""
    try:
        settings = configuration.read()
        required = walls.required(settings.walls)
    except configuration.Misconfigured as error:
        yield Finding("walls", False, str(error))
        return
    found = walls.examine(first_uid=settings.uids[0])
    for name in walls.NAMES:
        lacks = found.missing[name]
        says = [walls.PURPOSES[name] + (": missing." if lacks else "")]
        says += [lacks, walls.INSTEAD.get(name, "")] if lacks else [found.remarks.get(name, "")]
        yield Finding(f"wall {name}", not lacks, " ".join(filter(None, says)).strip(), is_needed=name in required)


def _database() -> Finding:
    if os.environ.get("DATABASE_URL"):
        return Finding("PostgreSQL", True, "your own, by DATABASE_URL")
    try:
        return Finding("PostgreSQL", True, f"embedded, {binaries()}")
    except PostgresFailed as error:
        return Finding("PostgreSQL", False, str(error))


def _pages() -> Finding:
    vendor = Path(__file__).resolve().parent.parent / "assets" / "static" / "vendor"
    there = any(vendor.glob("*.js"))
    return Finding("page assets", there, str(vendor) if there else "missing. Run `make setup`.")


def _command(name: str, find: Callable[[], str | None]) -> Finding:
    found = find()
    return Finding(name, found is not None, found or f"missing. Install {name}.")
