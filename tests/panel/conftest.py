"""What tests of the Control Panel share: sessions of people with each role, a browser, a live server."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

import pages_rows
from pages_browser import browser, live, open_page

__all__ = ["browser", "client_of", "live", "open_page", "own_files"]


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Any) -> None:
    settings.FILES = str(tmp_path / "files")


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """`client_of("operator")`: the session of somebody with this role in acme; None: in none."""

    def client(role: str | None = "owner") -> Client:
        found = Client()
        found.force_login(pages_rows.person(role or "stranger", role or "owner", "acme" if role else "elsewhere"))
        return found

    return client
