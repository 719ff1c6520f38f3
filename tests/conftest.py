"""What all tests share: one embedded PostgreSQL for the whole session, in the data folder of settings_test."""

from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import SyncToAsync
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


@pytest.fixture
def kick_everybody_out(database_url: str) -> Iterator[Callable[[], None]]:
    """Ends every other connection to the test's database, as a restart does; threads of tests to come open new ones."""
    from django.db import connection, connections

    def kick() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
            )

    yield kick
    connections.close_all()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()  # async tests' queries run there
