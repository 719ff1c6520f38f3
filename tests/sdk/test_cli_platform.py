"""The command line against a small platform over real sockets: login, push, execute, logs, list, show."""

import io
import json
import os
import socket
import stat
from pathlib import Path

import pytest

from ovd.cli import credentials
from sdk.client_platform import TOKEN, Platform
from sdk.command_line import Ovd

# login


def test_login_keeps_the_token_where_only_its_user_can_read_it(ovd: Ovd, platform: Platform, tmp_path: Path) -> None:
    said = ovd("login", platform.url, "--token", TOKEN)
    file = tmp_path / "config" / "ovd" / "credentials.json"
    assert said.code == 0
    assert "as ada" in said.out
    assert TOKEN not in said.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {"url": platform.url, "token": TOKEN}


def test_login_takes_the_token_from_the_environment(
    ovd: Ovd, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVD_TOKEN", TOKEN)
    assert ovd("login", platform.url).code == 0


def test_login_with_a_wrong_token_keeps_nothing(ovd: Ovd, platform: Platform, tmp_path: Path) -> None:
    said = ovd("login", platform.url, "--token", "wrong")
    assert (said.code, said.out) == (1, "")
    assert said.err == "The platform does not know your token, or not any more. Sign in again with: ovd login URL\n"
    assert not (tmp_path / "config").exists()


def test_login_without_any_token_says_how_to_give_one(
    ovd: Ovd, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = ovd("login", platform.url)
    assert said.code == 1
    assert "--token" in said.err
    assert "OVD_TOKEN" in said.err


def test_login_where_nothing_listens_says_so(ovd: Ovd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = ovd("login", f"http://127.0.0.1:{port}", "--token", TOKEN)
    assert said.code == 1
    assert said.err.startswith(f"Nothing answers at http://127.0.0.1:{port}")


def test_without_login_the_platform_running_here_is_used(
    ovd: Ovd, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "up.json").write_text(json.dumps({"url": platform.url, "token": TOKEN, "user": "demo", "pids": {}}))
    monkeypatch.setenv("OVD_HOME", str(home))
    assert ovd("list").code == 0
    credentials.store(credentials.Credentials(platform.url, "of the login"))
    assert ovd("list").code == 1


def test_the_platform_running_here_is_found_from_the_folders_below(ovd: Ovd, platform: Platform) -> None:
    Path(".ovd").mkdir()
    Path(".ovd/up.json").write_text(json.dumps({"url": platform.url, "token": TOKEN}))
    Path("mine/samples").mkdir(parents=True)
    os.chdir("mine/samples")
    assert ovd("list").code == 0


def test_the_environment_says_more_than_the_login(
    signed_in: Ovd, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVD_URL", platform.url)
    assert signed_in("list").code == 0
    monkeypatch.setenv("OVD_URL", platform.url.replace("127.0.0.1", "localhost"))
    assert signed_in("list").code == 1, "the token of one address is not sent to another"


def test_nobody_signed_in_is_told_how(ovd: Ovd) -> None:
    said = ovd("list")
    assert said.code == 1
    assert "ovd login URL" in said.err


def test_a_damaged_file_of_credentials_is_named(ovd: Ovd) -> None:
    credentials.file().parent.mkdir(parents=True)
    credentials.file().write_text("{")
    said = ovd("list")
    assert said.code == 1
    assert str(credentials.file()) in said.err


# execute


def test_execute_prints_the_outputs_with_label_and_unit(signed_in: Ovd) -> None:
    said = signed_in("execute", "acme/double", "number=21")
    assert (said.code, said.out) == (0, "Twice: 42 l\n")
    assert "succeeded in 0.25 s" in said.err


def test_execute_sends_files_and_writes_those_that_come_back(signed_in: Ovd) -> None:
    Path("paper.txt").write_text("water")
    said = signed_in("execute", "acme/double", "number=1", "paper=@paper.txt", "--out", "results/today", "--seed", "5")
    assert said.code == 0
    assert "Copy: paper.txt (text/plain, 5 bytes)" in said.out
    assert Path("results/today/paper.txt").read_text() == "water"


def test_execute_as_json_is_the_whole_record(signed_in: Ovd) -> None:
    record = json.loads(signed_in("execute", "acme/double", "number=3", "--seed", "5", "--json").out)
    assert (record["status"], record["seed"], record["outputs"]) == ("succeeded", 5, {"twice": 6})


def test_execute_shows_the_phases_of_longer_work(signed_in: Ovd, platform: Platform) -> None:
    platform.looks_until_done = 3
    said = signed_in("execute", "acme/double", "number=3")
    assert (said.code, said.out) == (0, "Twice: 6 l\n")
    assert "execution: running\n" in said.err
    assert "execution: succeeded\n" in said.err


def test_execute_async_prints_the_id_alone(signed_in: Ovd, platform: Platform) -> None:
    platform.looks_until_done = 3
    said = signed_in("execute", "acme/double", "number=3", "--async")
    assert said.code == 0
    assert said.out.strip() in platform.executions


def test_execute_that_waited_long_enough_says_how_to_follow(signed_in: Ovd, platform: Platform) -> None:
    platform.looks_until_done = 10**9
    said = signed_in("execute", "acme/double", "number=3", "--wait", "0.1")
    assert said.code == 1
    assert "ovd logs" in said.err


def test_execute_that_failed_says_why(signed_in: Ovd, platform: Platform) -> None:
    platform.outcome = "failed"
    said = signed_in("execute", "acme/double", "number=3")
    assert (said.code, said.out) == (1, "")
    assert "failed. No water in the pipe." in said.err


def test_execute_names_each_wrong_input(signed_in: Ovd) -> None:
    said = signed_in("execute", "acme/double", "number=1000")
    assert said.code == 1
    assert said.err.startswith("number: ")
    assert "100" in said.err


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("colour=red", "There is no input 'colour'. Known here: number, note, paper."),
        ("numbr=3", "There is no input 'numbr'. Did you mean \"number\"?"),
        ("number", "'number' is not an input. Write name=value, or name=@file."),
        ("paper=paper.txt", "Input 'paper' is a file. Write paper=@paper.txt"),
        ("paper=@gone.txt", "Input 'paper': there is no file gone.txt."),
    ],
)
def test_execute_refuses_what_cannot_be_an_input(signed_in: Ovd, argument: str, sentence: str) -> None:
    said = signed_in("execute", "acme/double", argument)
    assert (said.code, said.err) == (1, sentence + "\n")


def test_execute_of_what_is_not_there_says_so(signed_in: Ovd) -> None:
    said = signed_in("execute", "acme/gone", "number=3")
    assert said.code == 1
    assert said.err == "There is no /applications/acme/gone.\n"
    assert "organisation/name" in signed_in("execute", "double").err
    assert "no release that is ready" in signed_in("execute", "acme/empty").err


def test_a_limit_says_when_to_come_back(signed_in: Ovd, platform: Platform) -> None:
    platform.next_failures = ["429:600"]
    said = signed_in("list")
    assert (said.code, said.err) == (1, "Told to answer 429. Try again in 600 s.\n")


# logs, list, show


def test_logs_of_a_finished_execution_are_what_it_printed(signed_in: Ovd, platform: Platform) -> None:
    signed_in("execute", "acme/double", "number=3")
    said = signed_in("logs", next(iter(platform.executions)))
    assert (said.code, said.out) == (0, "one\u2028line\ntwo\n")
    assert "succeeded" in said.err


def test_logs_follow_until_the_end(signed_in: Ovd, platform: Platform) -> None:
    platform.looks_until_done = 2
    id = signed_in("execute", "acme/double", "number=3", "--async").out.strip()
    said = signed_in("logs", id, "--follow")
    assert (said.code, said.out) == (0, "one\u2028line\ntwo\n")
    assert "succeeded" in said.err


def test_list_shows_address_phase_and_title(signed_in: Ovd) -> None:
    assert signed_in("list").out == "acme/double  idle  Double\nacme/empty   idle  Empty\n"


def test_show_tells_what_goes_in_and_comes_out(signed_in: Ovd) -> None:
    said = signed_in("show", "acme/double").out
    assert "phase:   idle" in said
    assert "next:    Wakes when somebody uses it." in said
    assert "  number  integer, 0 to 100 l: Number" in said
    assert "  twice  integer, l: Twice" in said
    assert signed_in("show", "acme/empty").code == 0


def test_drift_says_what_is_over_its_limit(signed_in: Ovd) -> None:
    said = signed_in("drift", "acme/double")
    assert said.out == (
        "Drift in flow (psi 0.61, limit 0.25).\n"
        "field  kind    measure  value  limit\n"
        "flow   number  psi      0.61   0.25   drifts\n"
        "flow   number  missing  0      0.1\n"
        "Looked at 2026-03-01T12:00:00Z.\n"
    )


# push


def folder(name: str = "double") -> Path:
    """A folder whose manifest is right; that is all a push without check asks for here."""
    path = Path(name)
    path.mkdir()
    (path / "ovd.toml").write_text(
        f'name = "{name}"\ntitle = "Double"\nsummary = "Twice."\nlicence = "Apache-2.0"\nentry = "app:Double"\n'
    )
    (path / "app.py").write_text("pass\n")
    (path / "requirements.lock").write_text("")
    return path


def test_push_follows_the_build_until_it_is_ready(signed_in: Ovd, platform: Platform) -> None:
    said = signed_in("push", str(folder()), "--no-check")
    assert said.code == 0
    assert said.out.splitlines() == [
        "Sent acme/double release 4; the platform builds it:",
        "step 0",
        "step 1",
        "step 2",
        "acme/double release 4 is ready. Try it with: ovd execute acme/double",
    ]
    assert platform.archives == [["app.py", "ovd.toml", "requirements.lock"]]


def test_push_of_a_release_that_fails_exits_with_1(signed_in: Ovd, platform: Platform) -> None:
    platform.ends_build_as = "failed"
    said = signed_in("push", str(folder()), "--no-check")
    assert said.code == 1
    assert "release 4 failed. The sample greeting failed." in said.err


def test_push_sends_nothing_that_does_not_pass_the_check(signed_in: Ovd, platform: Platform) -> None:
    said = signed_in("push", str(folder()))
    assert said.code == 1
    assert "Nothing was sent." in said.err
    assert platform.archives == []


def test_push_asks_which_organisation_when_there_are_several(signed_in: Ovd, platform: Platform) -> None:
    platform.organisations = [{"slug": "zeta", "role": "owner"}, {"slug": "acme", "role": "author"}]
    said = signed_in("push", str(folder()), "--no-check")
    assert (said.code, said.err) == (1, "You may push to acme, zeta. Say which with --org.\n")
    assert signed_in("push", "double", "--no-check", "--org", "acme").code == 0


def test_push_by_somebody_who_is_no_author_is_refused_here(signed_in: Ovd, platform: Platform) -> None:
    platform.organisations = [{"slug": "acme", "role": "member"}]
    said = signed_in("push", str(folder()), "--no-check")
    assert said.code == 1
    assert "author in no organisation" in said.err


def test_push_of_a_folder_without_manifest_says_what_is_missing(signed_in: Ovd) -> None:
    Path("empty").mkdir()
    said = signed_in("push", "empty")
    assert said.code == 1
    assert said.err.startswith("ovd.toml  There is no ovd.toml in empty.")
