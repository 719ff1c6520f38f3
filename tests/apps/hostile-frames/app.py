"""Frames: finds the lines to the runner and to the gateway in its own process, and says on them what it likes."""

import json
import os
import socket
import struct
import time
from collections.abc import Iterator

from ovd import App, Context, text


def lines() -> Iterator[tuple[str, socket.socket]]:
    """(what it is, a copy of the socket) of every socket that this process holds."""
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            found = socket.socket(fileno=os.dup(number))
            if found.family != socket.AF_UNIX:
                continue
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield "listener", found
                continue
            own = found.getsockname()
            yield ("gateway" if own else "pair"), found
        except OSError:
            continue


def frame(header: object, body: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">II", len(raw), len(body)) + raw + body


SAID = {
    "garbage": b"\xff" * 4096,
    "huge": struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
    "endless": struct.pack(">II", 16 << 20, 0) + b"{" * 1000,
    "deep": frame(b'{"type":"result","id":"x","outputs":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "ready": frame({"type": "ready", "seconds": {"import": 1e300, "setup": "x" * 100_000}}) * 50,
    "failed": frame(b'{"type":"failed","stage":"\\ud800","message":"' + b"m" * 1_000_000 + b'\\u0000\\ud800"}'),
    "nonsense": frame({"type": "ready", "seconds": [["deep"]]}) + frame({"type": ["x"]}),
    "types": frame({"type": "ready", "seconds": {"import": [1], "setup": {}}}),
    "calls": b"".join(frame({"type": kind, "call": 1, "process": "x"}) for kind in ("hello", "stop", "watch", "start")),
    "flood": frame({"type": "log", "id": "nobody", "text": "x" * 100}) * 20_000,
}


class Frames(App):
    def execute(self, context: Context, line: str = text(), act: str = text()) -> str:
        found = 0
        for kind, sock in lines():
            if kind != line:
                continue
            found += 1
            if act == "close":
                sock.shutdown(socket.SHUT_RDWR)
            elif act == "silence":
                os.dup2(os.open("/dev/null", os.O_RDWR), sock.fileno())
                for number in map(int, os.listdir("/proc/self/fd")):
                    if number > 2:
                        os.dup2(sock.fileno(), number)
                time.sleep(30)
            else:
                sock.setblocking(False)
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    try:
                        sock.send(SAID[act])
                    except BlockingIOError:
                        time.sleep(0.001)
                    except OSError:
                        break
                    if act not in ("flood", "garbage"):
                        break
        return f"{found} lines"
