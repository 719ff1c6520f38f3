"""Fixtures of the SDK's tests: a process that is ended whatever happens; a small platform, its client, its command
line."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd.cli import main
from ovd.client import Client
from sdk.client_platform import TOKEN, Platform, running
from sdk.command_line import Ovd, Said
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


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running() as platform:
        yield platform


@pytest.fixture
def ovd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ovd:
    """The command line of a user who has a home and a folder of their own and is signed in nowhere."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("OVD_HOME", "OVD_URL", "OVD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def signed_in(ovd: Ovd, platform: Platform) -> Ovd:
    assert ovd("login", platform.url, "--token", TOKEN).code == 0
    return ovd


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(platform.url, TOKEN, patience=5) as client:
        yield client
