"""What all tests share: one embedded PostgreSQL for the whole session, in the data folder of settings_test."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from ovd_saas.wiring.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL of our own; not durable, as only speed matters here."""
    not_durable = {"fsync": "off", "full_page_writes": "off"}
    cluster = Postgres(settings.HOME / "postgresql" / "data", settings.RUN, not_durable)
    cluster.start()
    yield cluster.url
    cluster.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: str) -> None:
    """pytest-django makes its test database in our PostgreSQL."""


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The whole cluster goes away at the end; dropping the database first would wait for every connection."""
    return True


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The address of the test database, for connections of one's own (listening, async)."""
    from django.db import connection

    return settings.DATABASE_URL.replace("/ovd?", f"/{connection.settings_dict['NAME']}?")
