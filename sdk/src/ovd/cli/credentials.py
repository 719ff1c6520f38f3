"""Credentials: which platform `ovd` talks to, and with which token. The token is in one file of mode 0600.

The first that is there: `OVD_URL` with `OVD_TOKEN`; the last `ovd login`; the platform that `ovd up` runs here.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ovd.cli.refusal import Refusal


class Credentials(NamedTuple):
    url: str
    token: str


def file() -> Path:
    """Where `ovd login` keeps them."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "ovd" / "credentials.json"


def up_files() -> "list[Path]":
    """Where a platform started by `ovd up` may say how to reach it: in `OVD_HOME`, else in `.ovd` here or above."""
    if home := os.environ.get("OVD_HOME"):
        return [Path(home) / "up.json"]
    here = Path.cwd()
    return [folder / ".ovd" / "up.json" for folder in (here, *here.parents)]


def store(credentials: Credentials) -> Path:
    """Keep them for the next commands, readable by the user only; the file is never half written."""
    path = file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(credentials._asdict(), out, indent=2)
        out.write("\n")
    unfinished.replace(path)
    return path


def find() -> Credentials:
    """The platform to talk to. Raises Refusal when there is none."""
    found = read(file()) or next(filter(None, map(read, up_files())), None)
    url, token = os.environ.get("OVD_URL"), os.environ.get("OVD_TOKEN")
    if url:
        is_same = found is not None and found.url.rstrip("/") == url.rstrip("/")
        return Credentials(url, token or (found.token if found is not None and is_same else ""))
    if found is None:
        raise Refusal(
            "No platform is known here. Sign in with: ovd login URL (where it is installed, ovd up starts one)"
        )
    return Credentials(found.url, token or found.token)


def read(path: Path) -> Optional[Credentials]:
    """What a file of this user says; None when it is not there, or somebody else's."""
    try:
        with path.open(encoding="utf-8") as opened:
            if hasattr(os, "getuid") and os.fstat(opened.fileno()).st_uid != os.getuid():
                return None
            document: Any = json.load(opened)
        return Credentials(str(document["url"]), str(document["token"]))
    except (FileNotFoundError, PermissionError):
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} cannot be understood ({error}). Remove it, then sign in with: ovd login URL") from error
