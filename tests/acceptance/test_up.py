"""`ovd up`: says where it is, keeps data over a restart, stops cleanly, refuses a second one in the same folder."""

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator

import pytest
from platforms import APPS, ROOT, Platform, descendants, is_alive, until


@pytest.fixture
def own() -> Iterator[Platform]:
    made = Platform()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
    shutil.rmtree(made.home, ignore_errors=True)


@pytest.mark.timeout(400)  # five environments are built
def test_the_printed_curl_line_works_and_a_restart_keeps_all_data(own: Platform) -> None:
    own.start(within_seconds=300)
    printed = own.output()
    line = re.search(r"curl -s .*?\n.*?\n.*?'\n", printed, re.DOTALL)
    assert line, printed
    answer = json.loads(subprocess.run(["bash", "-c", line.group()], capture_output=True, check=True).stdout)
    assert answer["status"] == "succeeded" and answer["outputs"]["words"] == 6, answer
    names = {item["name"] for item in own.client().applications()}
    assert names == {path.parent.name for path in (ROOT / "examples").glob("*/ovd.toml")}

    assert stat.S_IMODE((own.home / "up.json").stat().st_mode) == 0o600
    token = own.up["token"]
    below = descendants(own.process.pid)  # type: ignore[union-attr]
    assert len(below) >= 4
    assert own.stop() < 5
    until(lambda: not [pid for pid in below if is_alive(pid)], 5, "no orphan")
    assert not (own.home / "up.json").exists()

    own.start()
    assert own.up["token"] == token
    assert own.client().execution(answer["id"]).outputs == answer["outputs"]


def test_a_second_platform_in_the_same_folder_is_refused_and_two_folders_run_side_by_side(platform: Platform) -> None:
    second = Platform("--no-examples")
    shutil.rmtree(second.home)
    second.home = platform.home
    refused = platform.ovd("up")
    assert refused.returncode == 1 and "already" in refused.stderr
    beside = Platform("--no-examples")
    beside.start()
    try:
        beside.push(APPS / "echo")
        assert beside.client().execute("demo/echo", {"message": "beside"}).is_success
        assert beside.up["url"] != platform.up["url"]
    finally:
        beside.stop()
        shutil.rmtree(beside.home, ignore_errors=True)


@pytest.mark.timeout(400)
def test_the_demo_does_what_it_says_once_and_again(platform: Platform) -> None:
    """It wakes, executes and sleeps; then it is fed, learns, is judged and sleeps, and prints a table that holds."""
    platform.push(ROOT / "examples" / "water-flow")
    tables = []
    for _ in range(2):
        done = platform.ovd("demo")
        assert done.returncode == 0, done.stdout + done.stderr
        for word in ("woke", "archived", "asleep", "fed", "due", "learning", "gate", "promoted", "rejected", "ledger"):
            assert re.search(rf"^{word} ", done.stdout, re.MULTILINE), done.stdout
        assert len(re.findall(r"^anomaly ", done.stdout, re.MULTILINE)) == 4
        tables.append(re.findall(r"^ +(seasonal-naive|version \d, \w+) +(\d\.\d{4})", done.stdout, re.MULTILINE))
    assert tables[0] == tables[1]  # another application of the same code, fed the same: the same to the last digit
    errors = {name: float(error) for name, error in tables[0]}
    assert len(errors) == 5 and "version 3, rejected" in errors
    assert errors["version 4, live"] < errors["version 2, retired"] < errors["version 3, rejected"]
    assert errors["version 4, live"] < 0.7 * errors["seasonal-naive"]
