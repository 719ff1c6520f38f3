"""What tests of the API share: clients for people with each role, and an application that they use."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import AsyncClient, Client

import makers
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
def async_client_of(db: None) -> Callable[..., AsyncClient]:
    def client(role: str | None = "owner", name: str | None = None) -> AsyncClient:
        return AsyncClient(headers={"Authorization": f"Bearer {secret_of(role, name)}"}, raise_request_exception=False)

    return client


@pytest.fixture
def owner(client_of: Callable[..., Client]) -> Client:
    return client_of("owner")


def secret_of(role: str | None, name: str | None = None) -> str:
    name = name or role or "stranger"
    person = makers.user(name, role, "acme") if role else makers.user(name, "owner", "elsewhere")
    return access.issue(person, "test")[1]


@pytest.fixture
def finished(echo: Application) -> Iterator[Execution]:
    yield make_execution(echo)


def make_execution(application: Application, **also: Any) -> Execution:
    """Succeeded, as the journal would have it; other columns as given."""
    from django.utils import timezone

    from ovd_saas.appcore.executions import new_id

    now = timezone.now()
    values: dict[str, Any] = {
        "id": new_id(), "application": application, "release": application.release, "status": "succeeded",
        "inputs": {"text": "hi"}, "outputs": {"text": "hi"}, "seed": 7, "created_at": now, "started_at": now,
        "finished_at": now, "seconds": 0.5, "caller": "user:0", "cause": {"kind": "api"},
    }  # fmt: skip
    return Execution.objects.create(**{**values, **also})
