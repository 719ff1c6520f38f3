"""Lists cost the same number of questions to the database, however many applications there are."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import makers

ClientOf = Callable[..., Client]
LISTS = (
    "/applications/",
    "/applications/?q=sleeper",
    "/applications/?show=idle",
    "/applications/?page=2",
    "/api/v1/applications",
    "/api/v1/applications?limit=200",
)


def fleet(count: int) -> None:
    for number in range(count):
        application = makers.application(f"sleeper-{count}-{number}", **({"learn": {}} if number % 3 else {}))
        makers.model_version(application)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_of_two_hundred_asks_as_often_as_one_of_sixty(client_of: ClientOf, path: str) -> None:
    fleet(60)
    client = client_of("owner")
    asked = []
    for more in (0, 140):
        fleet(more)
        assert client.get(path).status_code == 200  # what is read once a process was read
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        asked.append(len(seen))
    assert asked[0] == asked[1] < 20


def test_a_list_reads_no_build_logs(client_of: ClientOf) -> None:
    fleet(3)
    with CaptureQueriesContext(connection) as seen:
        client_of("owner").get("/applications/")
    assert not [query["sql"] for query in seen if '."log"' in query["sql"] or '."schema"' in query["sql"]]
