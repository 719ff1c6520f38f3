"""What the tests of the gateway start: a stage."""

from collections.abc import Iterator

import pytest

from gateway.stage import Stage


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    stage = Stage()
    stage.open()
    yield stage
    stage.close()
