"""Processes for the tests of the SDK: a real one per test, its control line, and clients of its socket."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ovd.protocol import CHUNK, receive, send

APPS = Path(__file__).resolve().parent.parent / "apps"
PATIENCE = 20.0  # s before a test gives up on a frame
FINAL = ("result", "rejected", "failed", "refused")

Frame = tuple[dict[str, Any], bytes]


def folder_of(
    where: Path,
    code: str,
    *,
    manifest: str = "",
    samples: dict[str, Any] | None = None,
    head: str = 'name = "tried"\ntitle = "Tried"\nentry = "app:Tried"\n',
) -> Path:
    """An application's folder with this `app.py`; `manifest` is added below the usual head."""
    where.mkdir(parents=True, exist_ok=True)
    (where / "ovd.toml").write_text(head + textwrap.dedent(manifest))
    (where / "app.py").write_text(textwrap.dedent(code))
    (where / "requirements.lock").touch()
    for name, sample in (samples or {}).items():
        (where / "samples").mkdir(exist_ok=True)
        text = sample if isinstance(sample, str) else json.dumps(sample, indent=1)
        (where / "samples" / f"{name}.json").write_text(text)
    return where


def wait_until(is_true: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


class Client:
    """A connection to a process."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path)
        self.files: dict[str, bytes] = {}

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        send(self.sock, header, body)

    def begin(
        self,
        inputs: dict[str, Any],
        *,
        id: str = "e1",
        seed: int = 0,
        timeout: float | None = None,
        files: dict[str, bytes] | None = None,
    ) -> None:
        for key, data in (files or {}).items():
            pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
            for place, piece in enumerate(pieces, start=1):
                self.send({"type": "file", "id": id, "file": key, "last": place == len(pieces)}, piece)
        self.send({"type": "execute", "id": id, "inputs": inputs, "seed": seed, "timeout": timeout})

    def receive(self) -> dict[str, Any]:
        """The next frame; bytes of files are put together in `files`."""
        frame = receive(self.sock)
        assert frame is not None, "the process closed the connection"
        header, body = frame
        if header["type"] == "file":
            self.files[header["file"]] = self.files.get(header["file"], b"") + body
        return header

    def until(self, *types: str) -> list[dict[str, Any]]:
        """All frames up to and with the first of one of these types."""
        frames = [self.receive()]
        while frames[-1]["type"] not in types:
            frames.append(self.receive())
        return frames

    def execute(self, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Execute, and return the final frame."""
        self.begin(inputs, **more)
        return self.until(*FINAL)[-1]

    def is_closed_by_the_process(self) -> bool:
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.sock.close()


class Process:
    """`python -m ovd.process` for a folder, as the runner starts it."""

    def __init__(self, folder: Path, scratch: Path, *arguments: str) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self.scratch = scratch
        self.path = str(scratch / "p.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(64)
        self.control, theirs = socket.socketpair()
        self.control.settimeout(PATIENCE)
        fds = (listener.fileno(), theirs.fileno())
        self.child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ovd.process",
                "--folder",
                str(folder),
                "--scratch",
                str(scratch / "work"),
                "--listen-fd",
                str(fds[0]),
                "--control-fd",
                str(fds[1]),
                *arguments,
            ],
            pass_fds=fds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        theirs.close()
        listener.close()
        self.clients: list[Client] = []

    def heard(self) -> dict[str, Any]:
        """The next frame on the control line."""
        frame = receive(self.control)
        assert frame is not None, "the process closed its control line"
        return frame[0]

    def ready(self) -> Self:
        frame = self.heard()
        assert frame["type"] == "ready", frame
        return self

    def client(self) -> Client:
        self.clients.append(Client(self.path))
        return self.clients[-1]

    def tell(self, **header: Any) -> None:
        send(self.control, header)

    def exit_code(self) -> int:
        return self.child.wait(PATIENCE)

    def end(self) -> str:
        """End it if it lives, and return what it printed."""
        for client in self.clients:
            client.close()
        self.control.close()  # the process ends when its runner is gone
        text = self.child.communicate(timeout=PATIENCE)[0]
        return text.decode()


Start = Callable[..., Process]
