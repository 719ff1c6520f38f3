"""What tests of pages share: a signed-in client, a live server, a browser that complains of nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

import pages_browser
import pages_rows


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Any) -> None:
    settings.FILES = str(tmp_path / "files")


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """`client_of("operator")`: a browser's session of somebody with this role in acme; None: in none."""

    def client(role: str | None = "owner") -> Client:
        found = Client()
        found.force_login(pages_rows.person(role or "stranger", role or "owner", "acme" if role else "elsewhere"))
        return found

    return client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = pages_browser.launch(playwright)
        yield browser
        browser.close()
