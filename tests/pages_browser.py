"""A real browser and a live server for tests of pages: the Django side on uvicorn in a thread, Chromium before it."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Playwright

FLAGS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]
MISSING = (
    "Tests of pages need a browser. On Debian: `apt-get install chromium`; "
    "elsewhere: `.venv/bin/playwright install chromium`."
)


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium, else Playwright's own; without either, an error that says what to install."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or playwright.chromium.executable_path
    if not Path(found).exists():
        raise RuntimeError(MISSING)
    return playwright.chromium.launch(executable_path=found, args=FLAGS)


@contextmanager
def serving(application: Any) -> Iterator[str]:
    """The address of an ASGI application, served until the block ends."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > until or not thread.is_alive():
            raise RuntimeError("The live server did not start; its log says why.")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
