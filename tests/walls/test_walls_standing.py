"""Which walls stand, why others do not, and the refusal to run without those that must."""

import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ovd import walls as sdk_walls
from ovd.walls import calls, room, seccomp, standing
from ovd.walls.failure import WallFailed
from ovd_saas.runner import walls
from ovd_saas.runner.configuration import Misconfigured
from walls import inside


def apart(what: Callable[[], Any]) -> Any:
    """What it answers, from a child of ours that is gone then."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, pickle.dumps(what()))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        said = answers.read()
    os.waitpid(child, 0)
    return pickle.loads(said)


def test_every_wall_is_tried_and_the_caller_stays_as_it_is() -> None:
    before = (os.getuid(), sorted(Path("/").iterdir()), Path("/proc/self/mountinfo").read_text())
    found = standing.examine()
    assert tuple(found.missing) == sdk_walls.NAMES
    assert (os.getuid(), sorted(Path("/").iterdir()), Path("/proc/self/mountinfo").read_text()) == before


def test_where_nothing_is_allowed_each_wall_says_why_and_what_would_help() -> None:
    def examine() -> dict[str, str]:
        calls.no_new_privileges()
        seccomp.install(seccomp.of_application(seccomp.here(), local=True, network=False, devices=False))
        return standing.standing()

    missing = apart(examine)
    lacking = {name for name, why in missing.items() if why}
    assert lacking == {"user", "files", "processes", "network", "ipc", "landlock", "seccomp"} | (
        {"privileges"} if missing["privileges"] else set()
    )
    assert all("Operation not permitted" in missing[name] for name in lacking)
    assert "container" in missing["user"]


def test_a_runner_whose_walls_stand_runs() -> None:
    walls.insist("", {"files": "broken"})
    walls.insist("user, limits", {"files": "broken", "user": "", "limits": ""})
    walls.insist("all", dict.fromkeys(walls.NAMES, ""))


def test_a_runner_that_lacks_a_wall_refuses_and_says_why() -> None:
    with pytest.raises(Misconfigured, match=r"files: No mounts\. Allow them\.") as refusal:
        walls.insist("files,limits", {"files": "No mounts. Allow them.", "limits": ""})
    assert "limits:" not in str(refusal.value)
    with pytest.raises(Misconfigured, match="cpu: none"):
        walls.insist("all", {**dict.fromkeys(walls.NAMES, ""), "cpu": "none"})


def test_a_wall_that_is_none_is_named() -> None:
    with pytest.raises(Misconfigured, match="moat, which is no wall"):
        walls.required("files,moat")


def test_a_room_that_cannot_be_built_names_wall_and_file(mode: str, app: Path) -> None:
    command = inside.command(mode, "", app=app)
    command["args"][2] = command["args"][2].replace('"read_only": [', '"read_only": ["/nowhere/at/all", ')
    ended = subprocess.run(**command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert 'The wall "files" cannot be put up: open_tree /nowhere/at/all: No such file' in ended.stderr


def test_an_environment_where_the_release_will_be_is_refused_with_the_cure() -> None:
    def build() -> str:
        calls.unshare(calls.NEWNS)
        try:
            room.build("/mnt", read_only=["/app/ovd/environments"], own_proc=False)
        except WallFailed as error:
            return str(error)
        return ""

    if os.geteuid() != 0:
        pytest.skip("an ordinary user enters a namespace first")
    assert "put OVD_HOME and Python elsewhere" in apart(build)


def test_every_wall_has_its_purpose_in_words() -> None:
    assert tuple(walls.PURPOSES) == walls.NAMES
