"""One platform with the small test applications, shared by all acceptance tests that leave it standing."""

import shutil
from collections.abc import Iterator

import pytest
from platforms import APPS, Platform


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    made = Platform("--no-examples")
    made.start()
    for name in ("echo", "slow", "crasher"):
        made.push(APPS / name)
    yield made
    made.stop()
    shutil.rmtree(made.home, ignore_errors=True)
