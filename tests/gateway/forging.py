"""A process whose author wrote the frames himself: it says on its socket what a test wants, for the gateway's tests."""

import contextlib
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from gateway.stage import Played, Stage
from ovd.protocol import PREFIX, Decoder, ProtocolError, pack
from ovd_saas.appcore import processes as noting
from ovd_saas.store.records import Application, Process, Runner

Say = Callable[..., None]  # a header as keywords, `body`; or `raw` bytes that are no frame


class Forger:
    """One connection of the gateway to it. `say` and `flood` send; the gateway may hang up at any moment."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sent = 0  # bytes that were taken

    def say(self, body: bytes = b"", **header: Any) -> None:
        self.raw(pack(header, body))

    def raw(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)
            self.sent += len(data)

    def frame(self, header: bytes, body: bytes = b"") -> None:
        """A frame with any bytes as its header."""
        self.raw(PREFIX.pack(len(header), len(body)) + header + body)


def forged(stage: Stage, application: Application, answer: Callable[[Forger, dict[str, Any]], None]) -> Played:
    """A process that serves: `answer` is called with each frame that comes, in a thread of the connection's own."""
    assert application.release is not None
    id_ = uuid.uuid4()
    address = settings.RUN / f"t-{id_.hex[:12]}.sock"
    row = Process.objects.create(
        id=id_, application=application, release=application.release, runner=Runner.objects.get(),
        address=str(address), started_at=timezone.now(),
        concurrency=application.release.manifest["execute"]["concurrency"],
    )  # fmt: skip
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(address))
    listening.listen(16)
    stand_in = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    ours, theirs = socket.socketpair()
    theirs.close()
    threading.Thread(target=_accept, args=(listening, answer), daemon=True).start()
    played = Played(row, stand_in, ours)
    stage.played.append(played)
    noting.answer(process_id=row.pk, now=timezone.now())
    return played


def _accept(listening: socket.socket, answer: Callable[[Forger, dict[str, Any]], None]) -> None:
    while True:
        try:
            sock, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_listen, args=(sock, answer), daemon=True).start()


def _listen(sock: socket.socket, answer: Callable[[Forger, dict[str, Any]], None]) -> None:
    decoder, forger = Decoder(), Forger(sock)
    answer(forger, {"type": "connected"})
    while True:
        try:
            data = sock.recv(1 << 18)
            frames = decoder.feed(data)
        except (OSError, ProtocolError):
            return
        if not data:
            return
        for header, _ in frames:
            answer(forger, header)


def open_files() -> int:
    """Descriptors that this process holds, and with it the gateway in its thread."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
