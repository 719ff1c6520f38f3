"""What the tests of walls share: both kinds of user, and a folder that is the release."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd.walls.standing import standing
from walls import inside


@pytest.fixture(scope="session")
def missing() -> dict[str, str]:
    """Walls that this machine does not have, for this user."""
    return {name: why for name, why in standing().items() if why}


@pytest.fixture(params=inside.modes())
def mode(request: pytest.FixtureRequest, missing: dict[str, str]) -> str:
    """As whom the runner runs: root, or an ordinary user."""
    if missing:
        pytest.skip(f"This machine lacks walls: {missing}")
    return str(request.param)


@pytest.fixture
def app() -> Iterator[Path]:
    """A release with one file. Not in pytest's own folder, which only its user may enter."""
    with tempfile.TemporaryDirectory(prefix="ovd-release-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "app.py").write_text("value = 1\n")
        yield folder
