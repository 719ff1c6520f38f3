"""The client: one method per thing a program asks of the platform."""

import hashlib
import json
import os
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Union

from ovd import sniff
from ovd.client import archive
from ovd.client.answers import Execution, Release
from ovd.client.connection import Connection, FilePart
from ovd.client.errors import Conflict, NotFound, OvdError, PlatformFailed, Silent, Unreachable
from ovd.client.events import Event, EventParser

LONGEST_PREFER = 300  # s: the longest `Prefer: wait` that the platform takes
SHORTEST_PREFER = 1  # s: how long the platform holds the request of somebody who wants to see progress
ANSWER_TIME = 30.0  # s on top of what the platform was asked to wait
SILENCE = 60.0  # s without a byte after which an event stream is opened anew
PAUSE = 1.0  # s in which a stream has told all that there is so far

OnChange = Callable[[Execution], object]
FileLike = Union[str, Path, bytes, FilePart]


class Client:
    """A platform at `url`, as the owner of `token`. Close it, or use it in a `with`.

    Every method raises `OvdError` or one of its kinds. `patience` is how many seconds a call that may be
    repeated is tried again when the connection or the platform fails for a moment.
    """

    def __init__(self, url: str, token: str = "", *, patience: float = 10.0, timeout: float = ANSWER_TIME) -> None:
        self._connection = Connection(url, token, patience=patience, timeout=timeout)
        self._patience = patience
        self.url = str(self._connection.url)

    def __enter__(self) -> "Client":
        return self

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

    # who and what

    def me(self) -> "dict[str, Any]":
        """The token's owner, with organisations and roles."""
        return self._document("/me")

    def applications(self) -> "list[dict[str, Any]]":
        """All applications that the token's owner may see."""
        return self._all("/applications")

    def application(self, application: str) -> "dict[str, Any]":
        """One application, `org/name`: phase, health, live release, what happens next."""
        return self._document(_path_of(application))

    def act(self, application: str, action: str) -> "dict[str, Any]":
        """Wake, sleep, suspend, enable or retire `org/name`; what it then says of itself. Raises Conflict with the
        reason when its state does not allow that."""
        return _json(self._connection.request("POST", f"{_path_of(application)}/actions/{action}").content)

    def timeline(self, application: str) -> "list[dict[str, Any]]":
        """Every transition of `org/name`, the latest first."""
        return self._all(f"{_path_of(application)}/timeline")

    def schema(self, application: str) -> "dict[str, Any]":
        """The schema document of what `org/name` executes now. Raises Conflict when no release is ready yet."""
        number = self.application(application)["release"]
        if number is None:
            raise Conflict(f"{application} has no release that is ready yet. Push one, or wait for its build.")
        return self.release(application, int(number)).schema

    # releases

    def push(self, folder: "Union[str, Path]", org: str, *, name: Optional[str] = None) -> Release:
        """Send `folder` as a new release of `org/name`, then `building`. `name`: else as in `ovd.toml`."""
        folder = Path(folder)
        if name is None:
            from ovd import manifest

            name = manifest.load(folder).name
        with tempfile.TemporaryFile() as packed:
            archive.write(folder, packed)
            packed.seek(0)
            response = self._connection.request(
                "POST",
                f"{_path_of(f'{org}/{name}')}/releases",
                files={"archive": FilePart(f"{name}.tar.gz", packed, "application/gzip")},
                timeout=600.0,
            )
        return Release.from_document(_json(response.content), application=f"{org}/{name}")

    def release(self, application: str, number: int) -> Release:
        """Release `number` of `org/name` as it is now."""
        return Release.from_document(
            self._document(f"{_path_of(application)}/releases/{number}"), application=application
        )

    def build_log(self, application: str, number: int) -> "Iterator[str]":
        """What the build printed and prints, as it comes, until the release is ready or failed."""
        for event in self._follow(f"{_path_of(application)}/releases/{number}/log"):
            if event.name == "log":
                yield str(event.data["text"])

    # executions

    def execute(
        self,
        application: str,
        inputs: "Optional[Mapping[str, Any]]" = None,
        *,
        files: "Optional[Mapping[str, FileLike]]" = None,
        seed: Optional[int] = None,
        wait: Optional[float] = 30.0,
        idempotency_key: Optional[str] = None,
        on_change: Optional[OnChange] = None,
    ) -> Execution:
        """Execute `org/name` once; returns what is known after at most `wait` s (None: when finished).

        `files` maps input names to a path, bytes, or a FilePart. The call carries an Idempotency-Key, so that
        no retry runs it twice; give your own, and that also holds when your program is started again.
        `on_change` is called with the execution each time it looks different while it lasts.
        """
        until = None if wait is None else time.monotonic() + wait
        longest = LONGEST_PREFER if on_change is None else SHORTEST_PREFER
        prefer = longest if wait is None else min(int(wait), longest)
        headers = {
            "Prefer": f"wait={prefer}" if prefer > 0 else "respond-async",
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
        }
        body: dict[str, Any] = {"inputs": dict(inputs or {})}
        if seed is not None:
            body["seed"] = seed
        path = f"{_path_of(application)}/executions"
        timeout = prefer + ANSWER_TIME
        if files:
            parts = {name: _json_part(value) for name, value in body.items()}
            parts.update({name: _file_part(file) for name, file in files.items()})
            response = self._connection.request("POST", path, files=parts, headers=headers, timeout=timeout)
        else:
            response = self._connection.request("POST", path, json=body, headers=headers, timeout=timeout)
        execution = Execution.from_document(_json(response.content))
        if execution.is_finished or wait == 0:
            return execution
        left = None if until is None else max(0.0, until - time.monotonic())
        return self.wait(execution.id, timeout=left, on_change=on_change)

    def execution(self, id: str) -> Execution:
        """One execution as it is now."""
        return Execution.from_document(self._document(f"/executions/{_quoted(id)}"))

    def wait(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
        on_change: Optional[OnChange] = None,
    ) -> Execution:
        """The execution once it is finished, or as it is after `timeout` seconds (None: wait for ever).

        `on_change` is called with the execution each time it looks different.
        """
        seen: Optional[Execution] = None
        until = None if timeout is None else time.monotonic() + timeout
        pause = 0.05
        while True:
            execution = self.execution(id)
            if on_change is not None and execution != seen:
                on_change(execution)
            seen = execution
            left = None if until is None else until - time.monotonic()
            if execution.is_finished or (left is not None and left <= 0):
                return execution
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 1.5, 1.0)

    def cancel(self, id: str) -> Execution:
        """Ask the platform to stop an execution. Raises Conflict when it is already finished."""
        return Execution.from_document(
            _json(self._connection.request("POST", f"/executions/{_quoted(id)}/cancel").content)
        )

    def events(self, id: str, *, after: str = "") -> "Iterator[Event]":
        """What happens to an execution, after event `after` and until `done`; survives broken connections."""
        return self._follow(f"/executions/{_quoted(id)}/events", after=after)

    def log(self, id: str) -> str:
        """What the application printed so far in an execution; all of it when that is finished."""
        until = None if self.execution(id).is_finished else time.monotonic() + PAUSE
        events = self._follow(f"/executions/{_quoted(id)}/events", until=until)
        return "".join(str(event.data["text"]) for event in events if event.name == "log")

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

    # files

    def download(self, file: "Mapping[str, Any]", path: "Union[str, Path]") -> Path:
        """Write a file of an answer ({name, url, digest, …}) to `path`, a folder or the file's new name.

        The bytes are compared with the digest; only a complete file gets its name. Returns where it is.
        """
        target = Path(path)
        if target.is_dir():
            target = target / safe_name(str(file.get("name") or "file"))
        digest = hashlib.sha256()
        handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as out, self._connection.stream(str(file["url"])) as response:
                for piece in response.iter_bytes():
                    digest.update(piece)
                    out.write(piece)
            expected = str(file.get("digest") or "").rpartition(":")[2]
            if expected and expected != digest.hexdigest():
                raise PlatformFailed(f"{target.name}: the bytes do not have the digest {expected}. Download it again.")
            Path(unfinished).replace(target)
        except BaseException:
            Path(unfinished).unlink()
            raise
        return target

    def _document(self, path: str) -> "dict[str, Any]":
        return _json(self._connection.request("GET", path).content)

    def _all(self, path: str) -> "list[dict[str, Any]]":
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self._document(f"{path}?cursor={urllib.parse.quote(cursor, safe='')}" if cursor else path)
            items.extend(page["items"])
            cursor = str(page.get("next") or "")
            if not cursor:
                return items


def safe_name(name: str) -> str:
    """The last part of a file's name, so that an answer cannot write outside the folder it was meant for."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    return last if last not in ("", ".", "..") else "file"


def _path_of(application: str) -> str:
    org, _, name = application.partition("/")
    if not org or not name or "/" in name:
        raise NotFound(f"{application!r} is not the address of an application. Write it as organisation/name.")
    return f"/applications/{_quoted(org)}/{_quoted(name)}"


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _json(content: bytes) -> "dict[str, Any]":
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise PlatformFailed("The answer is no JSON object. Is this the address of a platform?")
    return document


def _json_part(value: Any) -> FilePart:
    return FilePart("", json.dumps(value, allow_nan=False).encode(), "application/json")


def _file_part(file: FileLike) -> FilePart:
    """The multipart part of a file input; its media type is recognised as on the platform."""
    if isinstance(file, FilePart):
        return file
    if isinstance(file, bytes):
        return FilePart("file", file, "application/octet-stream")
    path = Path(file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OvdError(f"{path}: {error.strerror}. Give the path of a file that can be read.") from error
    return FilePart(path.name, content, sniff.media_type(path.name, content[: sniff.HEAD]))
