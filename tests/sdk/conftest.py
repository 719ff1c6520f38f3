"""Fixtures of the SDK's tests: start a process, and have it ended whatever happens."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdk.processes import Process, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process of a folder; it is ready when the call returns, unless `is_ready=False`."""
    started: list[Process] = []
    numbers = itertools.count()

    def begin(folder: Path, *arguments: str, is_ready: bool = True) -> Process:
        process = Process(folder, tmp_path / f"p{next(numbers)}", *arguments)
        started.append(process)
        return process.ready() if is_ready else process

    yield begin
    for process in started:
        process.end()
