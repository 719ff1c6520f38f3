"""What the command line said, as tests look at it."""

from collections.abc import Callable
from typing import NamedTuple


class Said(NamedTuple):
    code: int
    out: str
    err: str


Ovd = Callable[..., Said]
