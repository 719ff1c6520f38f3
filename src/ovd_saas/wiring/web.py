"""`ovd web`: the web process. Serves on the socket it inherits, else on OVD_HOST:OVD_PORT. Floor 4."""

import gc
import os
import socket
from types import FrameType

LAST_PORT = 65535


def serve(fd: int | None = None) -> None:
    """Until SIGTERM or SIGINT; then requests in flight may finish for a moment."""
    from ovd_saas.wiring import logs

    os.umask(0o077)
    logs.configure("web")
    import uvicorn

    from ovd_saas.wiring import joining
    from ovd_saas.wiring.asgi import application

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=joining.Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=60,
        backlog=2048,
    )

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            application.begin_stop()  # who waits for a result is answered before the connections are closed
            super().handle_exit(sig, frame)

    gc.collect()
    gc.freeze()  # what was imported stays: to look through it again and again only makes answers late
    Server(config).run(sockets=[socket.socket(fileno=fd) if fd is not None else listen()])


def listen() -> socket.socket:
    """A listening socket at OVD_HOST (127.0.0.1) and OVD_PORT (8000; 0 = any free one)."""
    host = os.environ.get("OVD_HOST", "127.0.0.1")
    port = _port(os.environ.get("OVD_PORT") or "8000")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise SystemExit(
            f"Port {port} on {host} cannot be used: {error.strerror}. Set OVD_PORT to another one (0 = any free one)."
        ) from None
    listening.listen(2048)
    return listening


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise SystemExit(f"OVD_PORT is {text!r}; it must be a number from 0 to {LAST_PORT} (0 = any free one).")
    return int(text)
