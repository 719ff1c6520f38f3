"""Asking: what every call of the client is made of: a document, a whole list, a stream of events, a file."""

import hashlib
import json
import os
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Optional

from ovd.client.connection import Connection
from ovd.client.errors import NotFound, OvdError, PlatformFailed, Silent, Unreachable
from ovd.client.events import Event, EventParser

LONGEST_PREFER = 300  # s: the longest `Prefer: wait` that the platform takes
ANSWER_TIME = 30.0  # s on top of what the platform was asked to wait
SILENCE = 60.0  # s without a byte after which an event stream is opened anew
TIME_TO_GO_LIVE = 10.0  # s that a model version is given to become live
PAUSE = 1.0  # s in which a stream has told all that there is so far


class Asking:
    """A platform at `url`, as the owner of `token`."""

    def __init__(self, url: str, token: str = "", *, patience: float = 10.0, timeout: float = ANSWER_TIME) -> None:
        self._connection = Connection(url, token, patience=patience, timeout=timeout)
        self._patience = patience
        self.url = str(self._connection.url)

    def __exit__(
        self,
        kind: "Optional[type[BaseException]]",
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; running executions are not touched."""
        self._connection.close()

    def _document(self, path: str) -> "dict[str, Any]":
        return json_of(self._connection.request("GET", path).content)

    def _post(
        self, path: str, body: "Optional[dict[str, Any]]" = None, *, wait: Optional[float] = None
    ) -> "dict[str, Any]":
        """What the platform answers to `body`, after it was given `wait` seconds to bring it about."""
        headers, timeout = {}, None
        if wait is not None:
            seconds = min(int(wait), LONGEST_PREFER)
            headers = {"Prefer": f"wait={seconds}" if seconds > 0 else "respond-async"}
            timeout = seconds + ANSWER_TIME
        return json_of(self._connection.request("POST", path, json=body, headers=headers, timeout=timeout).content)

    def _all(self, path: str) -> "list[dict[str, Any]]":
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self._document(f"{path}?cursor={urllib.parse.quote(cursor, safe='')}" if cursor else path)
            items.extend(page["items"])
            cursor = str(page.get("next") or "")
            if not cursor:
                return items

    def _follow(self, path: str, *, after: str = "", until: Optional[float] = None) -> "Iterator[Event]":
        """The events of a stream until `done`, resumed where it broke; with `until`, those that come by then."""
        last, failing_since = after, None
        while True:
            parser = EventParser()
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            try:
                with self._connection.stream(path, headers=headers, timeout=PAUSE if until else SILENCE) as response:
                    if response.status_code == 204:  # it was read to its end before
                        return
                    for piece in response.iter_bytes():
                        for event in parser.feed(piece):
                            last, failing_since = event.id or last, None
                            yield event
                            if event.name == "done" or (until is not None and time.monotonic() > until):
                                return
                error: OvdError = Unreachable(f"The stream {path} ended too early.")
            except (Unreachable, PlatformFailed) as broken:
                if until is not None and isinstance(broken, Silent):
                    return
                error = broken
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > self._patience:
                raise error
            time.sleep(0.2)

    def _download(self, url: str, target: Path, digest: str) -> Path:
        """Write the bytes at `url` to `target`, which exists only when they are complete and have this digest, if one
        is given. Returns the target."""
        found = hashlib.sha256()
        handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as out, self._connection.stream(url) as response:
                for piece in response.iter_bytes():
                    found.update(piece)
                    out.write(piece)
            expected = digest.rpartition(":")[2]
            if expected and expected != found.hexdigest():
                raise PlatformFailed(f"{target.name}: the bytes do not have the digest {expected}. Download it again.")
            Path(unfinished).replace(target)
        except BaseException:
            Path(unfinished).unlink()
            raise
        return target


def path_of(application: str) -> str:
    org, _, name = application.partition("/")
    if not org or not name or "/" in name:
        raise NotFound(f"{application!r} is not the address of an application. Write it as organisation/name.")
    return f"/applications/{quoted(org)}/{quoted(name)}"


def quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def json_of(content: bytes) -> "dict[str, Any]":
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise PlatformFailed("The answer is no JSON object. Is this the address of a platform?")
    return document
