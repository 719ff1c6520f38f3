"""The data folder: where it is, the folder of sockets, the secret key. Floor 4; knows no Django.

Unix socket paths are limited to 108 bytes, and PostgreSQL's addresses give some characters a meaning of their own. So
sockets live in `OVD_HOME/run` only when that is short and plain, else in a private folder below /tmp whose name follows
from OVD_HOME.
"""

import hashlib
import os
import re
import secrets
from pathlib import Path

PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")
LONGEST_RUN_PATH = 60  # bytes: leaves room for "/.s.PGSQL.5432" and "/p-<uuid>.sock"

CURE = "Set OVD_HOME to a folder of your own."


def folder() -> Path:
    """`OVD_HOME`, else `.ovd` in the current folder; made when missing, readable by its owner only."""
    path = Path(os.environ.get("OVD_HOME") or ".ovd").resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"The data folder {path} cannot be made: {error.strerror}. {CURE}") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise SystemExit(f"The data folder {path} cannot be written. {CURE}")
    return path


def run_folder(home: Path) -> Path:
    """The folder of sockets of this platform; made when missing."""
    path = Path(os.environ.get("OVD_RUN") or home / "run")
    if len(os.fsencode(path)) > LONGEST_RUN_PATH or not PLAIN.fullmatch(str(path)):
        name = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        path = Path("/tmp") / f"ovd-{os.getuid()}-{name}"  # noqa: S108 - private, checked below
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.lstat().st_uid != os.getuid():
        raise SystemExit(f"{path} belongs to somebody else. Set OVD_RUN to a folder of your own.")
    path.chmod(0o700)
    return path


def embedded_database_url(run: Path) -> str:
    return f"postgresql://ovd@/ovd?host={run}"


def secret(home: Path) -> str:
    """The key that signs sessions: `OVD_SECRET_KEY`, else made once and kept in the data folder (0600)."""
    if key := os.environ.get("OVD_SECRET_KEY"):
        return key
    path = home / "secret.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    key = secrets.token_urlsafe(50)
    with os.fdopen(handle, "w") as file:
        file.write(key)
    return key
