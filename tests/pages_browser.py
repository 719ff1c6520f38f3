"""A real browser and a live server for tests of pages: the whole web process in a thread, Chromium before it."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, sync_playwright

import pages_rows

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
    config = uvicorn.Config(application, log_level="warning", lifespan="on", ws="none", timeout_graceful_shutdown=1)
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: Playwright keeps an event loop in this thread, and other tests must find none."""
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    settings.FILES = str(tmp_path / "files")


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """`client_of("operator")`: the session of somebody with this role in acme; None: in none."""

    def client(role: str | None = "owner") -> Client:
        found = Client()
        found.force_login(pages_rows.person(role or "stranger", role or "owner", "acme" if role else "elsewhere"))
        return found

    return client


@pytest.fixture
def live(transactional_db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a web process on the test database."""
    # Playwright keeps an event loop in this thread; the rows that a test makes are none of its business
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    settings.FILES = str(tmp_path / "files")
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    from django.core.asgi import get_asgi_application

    from ovd_saas.gateway.app import Gateway

    with serving(Gateway(get_asgi_application())) as address:
        yield address


Open = Callable[..., Page]

REFUSED = re.compile(r"status of (409|422)")  # the browser tells of every refusal; the page tells its reason


def complaint(message: ConsoleMessage) -> list[str]:
    return [message.text] if message.type == "error" and not REFUSED.search(message.text) else []


@pytest.fixture
def open_page(browser: Browser, live: str) -> Iterator[Open]:
    """`open_page(path, user=…, width=…)`: a page for somebody who is signed in; none may complain in its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(path: str, *, user: str | None = "ana", width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(base_url=live, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.on("console", lambda message: complaints.extend(complaint(message)))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = context.new_page()
        if user is not None:
            sign_in(page, user)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(page: Page, user: str, password: str = pages_rows.PASSWORD) -> None:
    page.goto("/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(r"/$"))


def connected(page: Page) -> Page:
    """When it hears of every change."""
    page.wait_for_selector("body[data-live-state=connected]")
    return page


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
