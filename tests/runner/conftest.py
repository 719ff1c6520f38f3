"""What the tests of the runner share: one runner for those that leave it alone, and a fresh one for the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd_saas.engines.base import Prepared
from runner.running import PUPPET, Runner, application


@pytest.fixture(scope="session")
def shared() -> Iterator[Runner]:
    """A runner that nobody stops or kills."""
    runner = Runner(DATABASE_URL="postgresql://secret", OVD_TOKEN="secret", AWS_SECRET_ACCESS_KEY="secret")
    yield runner
    runner.close()


@pytest.fixture
def own() -> Iterator[Runner]:
    """A runner for one test, with a lease of 1 s."""
    runner = Runner(OVD_LEASE_SECONDS="1")
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def puppet(shared: Runner, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Prepared]:
    """The puppet, prepared at the shared runner."""
    return shared.prepare(puppet_folder(tmp_path_factory.mktemp("puppet")))


def puppet_folder(folder: Path) -> Path:
    return application(folder / "puppet", PUPPET)
