"""Failure: a wall that could not be put up, and why. Whoever starts a process turns it into the start's failure."""

from contextlib import contextmanager
from typing import Iterator


class WallFailed(OSError):
    """A wall cannot be put up. The text names the wall, what was tried, and the kernel's answer."""

    def __init__(self, wall: str, error: OSError) -> None:
        said = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        super().__init__(error.errno, f'The wall "{wall}" cannot be put up: {said}{where}.')
        self.wall = wall  # one of `walls.NAMES`

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def wall(name: str) -> Iterator[None]:
    """What fails in here failed to put up this wall."""
    try:
        yield
    except WallFailed:
        raise
    except OSError as error:
        raise WallFailed(name, error) from error
