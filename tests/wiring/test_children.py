"""The children of `ovd up`: whatever goes wrong when one starts again, the others live on and it is tried once more."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ovd_saas.wiring import home, up, web
from ovd_saas.wiring.postgres import PostgresFailed
from ovd_saas.wiring.up import Child


def sleeping() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_child_that_cannot_start_again_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    problems: list[Exception] = [OSError(28, "No space left on device"), PostgresFailed("It is still ending.")]
    starts = 0

    def spawn() -> "subprocess.Popen[bytes]":
        nonlocal starts
        starts += 1
        if 1 < starts < 4:
            raise problems[starts - 2]
        return sleeping()

    child = Child("postgresql", spawn)
    child.start()
    assert child.process is not None
    child.process.kill()
    child.process.wait()
    deadline = time.monotonic() + 10
    while not child.tend():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert starts == 4 and child.process.poll() is None
    told = capsys.readouterr().out
    assert "ended (SIGKILL)" in told and "No space left" in told and "still ending" in told
    child.process.kill()
    child.process.wait()


def test_nobody_who_listens_to_what_up_says_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", broken)
    up.say("hello?")


@pytest.mark.parametrize("port", ["web", "-1", "70000"])
def test_a_port_that_is_none_is_refused_in_a_sentence(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVD_PORT", port)
    with pytest.raises(SystemExit, match=r"OVD_PORT is .*0 to 65535"):
        web.listen()


def test_a_data_folder_that_cannot_be_made_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OVD_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(SystemExit, match="OVD_HOME"):
        home.folder()
