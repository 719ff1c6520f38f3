"""A runner of its own for each test of the engine."""

from collections.abc import Iterator

import pytest

from runner.running import Runner


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()
