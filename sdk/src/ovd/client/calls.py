"""The client: one method per thing a program asks of the platform."""

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

from ovd import sniff
from ovd.client import archive
from ovd.client.answers import Execution, Release
from ovd.client.asking import ANSWER_TIME, LONGEST_PREFER, PAUSE, json_of, path_of, quoted
from ovd.client.connection import FilePart
from ovd.client.errors import Conflict, OvdError
from ovd.client.events import Event
from ovd.client.feeding import Feeding
from ovd.client.learning import Learning

SHORTEST_PREFER = 1  # s: how long the platform holds the request of somebody who wants to see progress

OnChange = Callable[[Execution], object]
FileLike = Union[str, Path, bytes, FilePart]


class Client(Learning, Feeding):
    """A platform at `url`, as the owner of `token`. Close it, or use it in a `with`.

    Every method raises `OvdError` or one of its kinds. `patience` is how many seconds a call that may be
    repeated is tried again when the connection or the platform fails for a moment.
    """

    def __enter__(self) -> "Client":
        return self

    # who and what

    def me(self) -> "dict[str, Any]":
        """The token's owner, with organisations and roles."""
        return self._document("/me")

    def applications(self) -> "list[dict[str, Any]]":
        """All applications that the token's owner may see."""
        return self._all("/applications")

    def application(self, application: str) -> "dict[str, Any]":
        """One application, `org/name`: phase, health, live release, what happens next."""
        return self._document(path_of(application))

    def act(self, application: str, action: str) -> "dict[str, Any]":
        """Wake, sleep, suspend, enable or retire `org/name`; what it then says of itself. Raises Conflict with the
        reason when its state does not allow that."""
        return json_of(self._connection.request("POST", f"{path_of(application)}/actions/{action}").content)

    def allow_network(self, application: str, hosts: "Sequence[str]") -> "dict[str, Any]":
        """Allow `org/name` to reach these hosts (`host:port`, or `host` for port 443) and no others, as far as it asks
        for them; what it then says of itself. What is taken back is gone at once."""
        body = {"network_allowed": list(hosts)}
        return json_of(self._connection.request("PATCH", path_of(application), json=body).content)

    def timeline(self, application: str) -> "list[dict[str, Any]]":
        """Every transition of `org/name`, the latest first."""
        return self._all(f"{path_of(application)}/timeline")

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
                f"{path_of(f'{org}/{name}')}/releases",
                files={"archive": FilePart(f"{name}.tar.gz", packed, "application/gzip")},
                timeout=600.0,
            )
        return Release.from_document(json_of(response.content), application=f"{org}/{name}")

    def release(self, application: str, number: int) -> Release:
        """Release `number` of `org/name` as it is now."""
        return Release.from_document(
            self._document(f"{path_of(application)}/releases/{number}"), application=application
        )

    def build_log(self, application: str, number: int) -> "Iterator[str]":
        """What the build printed and prints, as it comes, until the release is ready or failed."""
        for event in self._follow(f"{path_of(application)}/releases/{number}/log"):
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
        consent: bool = False,
        on_change: Optional[OnChange] = None,
    ) -> Execution:
        """Execute `org/name` once; returns what is known after at most `wait` s (None: when finished).

        `files` maps input names to a path, bytes, or a FilePart. The call carries an Idempotency-Key, so that
        no retry runs it twice; give your own, and that also holds when your program is started again. With
        `consent` the application may learn from it.
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
        if consent:
            body["consent"] = True
        path = f"{path_of(application)}/executions"
        timeout = prefer + ANSWER_TIME
        if files:
            parts = {name: _json_part(value) for name, value in body.items()}
            parts.update({name: _file_part(file) for name, file in files.items()})
            response = self._connection.request("POST", path, files=parts, headers=headers, timeout=timeout)
        else:
            response = self._connection.request("POST", path, json=body, headers=headers, timeout=timeout)
        execution = Execution.from_document(json_of(response.content))
        if execution.is_finished or wait == 0:
            return execution
        left = None if until is None else max(0.0, until - time.monotonic())
        return self.wait(execution.id, timeout=left, on_change=on_change)

    def execution(self, id: str) -> Execution:
        """One execution as it is now."""
        return Execution.from_document(self._document(f"/executions/{quoted(id)}"))

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
            json_of(self._connection.request("POST", f"/executions/{quoted(id)}/cancel").content)
        )

    def events(self, id: str, *, after: str = "") -> "Iterator[Event]":
        """What happens to an execution, after event `after` and until `done`; survives broken connections."""
        return self._follow(f"/executions/{quoted(id)}/events", after=after)

    def log(self, id: str) -> str:
        """What the application printed so far in an execution; all of it when that is finished."""
        until = None if self.execution(id).is_finished else time.monotonic() + PAUSE
        events = self._follow(f"/executions/{quoted(id)}/events", until=until)
        return "".join(str(event.data["text"]) for event in events if event.name == "log")

    # files

    def download(self, file: "Mapping[str, Any]", path: "Union[str, Path]") -> Path:
        """Write a file of an answer ({name, url, digest, …}) to `path`, a folder or the file's new name.

        The bytes are compared with the digest; only a complete file gets its name. Returns where it is.
        """
        target = Path(path)
        if target.is_dir():
            target = target / safe_name(str(file.get("name") or "file"))
        return self._download(str(file["url"]), target, str(file.get("digest") or ""))


def safe_name(name: str) -> str:
    """The last part of a file's name, so that an answer cannot write outside the folder it was meant for."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    return last if last not in ("", ".", "..") else "file"


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
