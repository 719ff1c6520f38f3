"""What tests of the API share: clients for people with each role, and an application that they use."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

import makers
from api.listening import Listener
from api.making import make_execution
from ovd_saas.appcore import access
from ovd_saas.store.records import Application, Execution


@pytest.fixture(autouse=True)
def only_the_api(settings: Any, tmp_path: Any) -> None:
    """These tests need no other door, and have a file store of their own."""
    settings.ROOT_URLCONF = "ovd_saas.api.urls"
    settings.FILES = str(tmp_path / "files")


@pytest.fixture
def echo(db: None) -> Application:
    return makers.application("echo")


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """`client_of("operator")`: a client with the token of somebody who has this role in acme; None: in none."""

    def client(role: str | None = "owner", name: str | None = None) -> Client:
        return Client(headers={"Authorization": f"Bearer {secret_of(role, name)}"}, raise_request_exception=False)

    return client


@pytest.fixture
def listener(database_url: str) -> Listener:
    """An owner who follows streams."""
    return Listener(secret_of("owner"))


@pytest.fixture
def owner(client_of: Callable[..., Client]) -> Client:
    return client_of("owner")


def secret_of(role: str | None, name: str | None = None) -> str:
    name = name or role or "stranger"
    person = makers.user(name, role, "acme") if role else makers.user(name, "owner", "elsewhere")
    return access.issue(person, "test")[1]


@pytest.fixture
def finished(echo: Application) -> Execution:
    return make_execution(echo)
