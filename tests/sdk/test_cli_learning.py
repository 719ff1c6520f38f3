"""The command line about learning: a run is followed to its verdict, versions are listed and changed."""

import io
import re
from pathlib import Path

import pytest

from ovd.cli import following, waiting
from ovd.client import Client, Event
from sdk.client_platform import Platform
from sdk.command_line import Ovd
from sdk.learning_platform import RUN, TAR

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
VERDICT = "mae 3.41 is 0.22 lower than 3.63 of version 1."


def test_learn_follows_the_run_and_says_the_verdict(signed_in: Ovd) -> None:
    said = signed_in("learn", "acme/flow")
    assert said.code == 0
    assert said.out == f"Learning run 3: promoted. Model 2 is live.\n{VERDICT}\n"
    assert said.err == "".join(f"learning run 3: {phase}\n" for phase in ("queued", "running", "evaluating"))


@pytest.mark.parametrize(
    ("ends", "code", "words"),
    [
        ("promoted", 0, "Model 2 is live."),
        ("awaiting", 0, "ovd approve acme/flow 2"),
        ("rejected", 3, "Model 2 is kept, and what was live stays live."),
        ("failed", 1, "ValueError: no water"),
        ("cancelled", 1, "cancelled."),
    ],
)
def test_the_exit_code_says_how_it_ended(signed_in: Ovd, platform: Platform, ends: str, code: int, words: str) -> None:
    platform.learning.ends = ends
    said = signed_in("learn", "acme/flow")
    assert said.code == code
    assert words in (said.err if code == 1 else said.out)
    assert (VERDICT in said.out) == (code != 1)


def test_with_log_it_shows_what_the_run_prints_without_control_characters(signed_in: Ovd) -> None:
    said = signed_in("learn", "acme/flow", "--log")
    assert "epoch 1\nred\n" in said.err
    assert not CONTROL.search(said.out + said.err)
    assert "epoch 1" not in signed_in("learn", "acme/flow").err


def test_without_watching_it_starts_and_goes(signed_in: Ovd, platform: Platform) -> None:
    said = signed_in("learn", "acme/flow", "--no-watch", "--note", "A new sensor.")
    assert (said.code, said.out) == (0, "Learning run 3 of acme/flow is queued.\n")
    assert "ovd learn acme/flow --current" in said.err
    assert platform.learning.bodies == [("learning-runs", {"note": "A new sensor."})]
    assert platform.count("GET", "/events") == 0


def test_while_a_run_is_open_it_says_how_to_follow_that_one(signed_in: Ovd, platform: Platform) -> None:
    platform.learning.is_open = True
    said = signed_in("learn", "acme/flow")
    assert said.code == 1
    assert "Learning run 3 of acme/flow is running. Follow it with: ovd learn acme/flow --current" in said.err
    assert signed_in("learn", "acme/flow", "--current").code == 0


def test_following_what_never_learned_says_how_to_begin(signed_in: Ovd, platform: Platform) -> None:
    platform.learning.is_empty = True
    said = signed_in("learn", "acme/flow", "--current")
    assert said.code == 1
    assert "has not learned yet" in said.err


def test_ctrl_c_ends_the_watching_and_not_the_run(signed_in: Ovd, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "learning_events", stopped)
    said = signed_in("learn", "acme/flow")
    assert said.code == 1
    assert "learning run 3 goes on. Follow it with: ovd learn acme/flow --current" in said.err


def test_on_a_terminal_a_bar_shows_progress_and_metrics(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "160")
    shown: list[tuple[str, float | None, str]] = []
    monkeypatch.setattr(
        waiting.Waiting, "show", lambda _, phase, fraction=None, message="": shown.append((phase, fraction, message))
    )
    assert following.follow(client, RUN).status == "promoted"
    assert ("queued", None, "ada asked for it.") in shown
    assert ("running", 0.25, "epoch 1 of 4, loss 0.1235") in shown
    assert shown[-1][0] == "evaluating"


def test_many_metrics_are_cut_beside_the_bar() -> None:
    assert following.measures(dict.fromkeys("abcdef", 1), most=2) == "a 1, b 1, …"
    assert (
        following.measures({"loss": 1234.5678, "is_good": True, "name": "x\x1b[0m"})
        == "loss 1235, is_good True, name x"
    )


@pytest.mark.parametrize("text", ["\x1b]0;title\x07x", "\x1b[38;5;1mx", "\x07x", "x\x00", "\x1bcx"])
def test_what_would_move_the_terminal_is_taken_out(text: str) -> None:
    assert following.plain(text) == "x"
    assert following.plain("a\tb\r\nc\rd") == "a\tb\nc\nd"


def test_events_of_another_kind_are_no_reason_to_stop(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [Event("novelty", "text", "1"), Event("log", "no object", "2"), Event("done", {}, "3")]
    monkeypatch.setattr(Client, "learning_events", lambda *_: iter(events))
    assert following.follow(client, RUN, with_log=True).status == "promoted"


# models


def test_models_is_a_table(signed_in: Ovd) -> None:
    said = signed_in("models", "acme/flow")
    assert said.code == 0
    heads, second, first = (re.split("  +", line) for line in said.out.splitlines())
    assert heads == ["model", "status", "metrics", "size", "learned from", "live"]
    assert second[:4] == ["2", "active", "mae 3, bias 0.1, r2 0.9, …", "49 kB"]
    assert second[4:] == ["480 samples of batches 1 to 17", "since 2026-03-02 12:00:00 UTC"]
    assert (first[:2], first[5]) == (["1", "retired"], "2026-03-01 12:00:00 UTC to 2026-03-02 12:00:00 UTC")
    assert len({line.index("480 samples") for line in said.out.splitlines()[1:]}) == 1


def test_without_any_model_it_says_how_to_get_one(signed_in: Ovd, platform: Platform) -> None:
    platform.learning.is_empty = True
    assert signed_in("models", "acme/flow").out == (
        "acme/flow has no model version yet. Let it learn with: ovd learn acme/flow\n"
    )


def test_one_model_in_full_and_its_tar(signed_in: Ovd, tmp_path: Path) -> None:
    said = signed_in("models", "acme/flow", "2", "--download", str(tmp_path / "new" / "folder"))
    assert said.code == 0
    lines = dict(line.split(":", 1) for line in said.out.splitlines()[1:])
    assert lines["metrics"].strip() == "mae 3, bias 0.1, r2 0.9, rmse 5"
    assert lines["learning run"].strip() == "3"
    assert lines["promote"].strip() == f"since 2026-03-02 12:00:00 UTC by gate: {VERDICT}"
    assert (tmp_path / "new" / "folder" / "flow-model-2.tar").read_bytes() == TAR
    assert "Wrote" in said.err


def test_a_download_needs_a_number(signed_in: Ovd) -> None:
    said = signed_in("models", "acme/flow", "--download", "here")
    assert said.code == 1
    assert "ovd models acme/flow NUMBER --download here" in said.err


@pytest.mark.parametrize("verb", ["promote", "approve"])
def test_promote_and_approve_are_the_same(signed_in: Ovd, platform: Platform, verb: str) -> None:
    said = signed_in(verb, "acme/flow", "2", "--reason", "Better.")
    assert (said.code, said.out) == (0, "Model 2 of acme/flow is live.\n")
    assert platform.learning.bodies == [("promote", {"reason": "Better."})]


def test_a_swap_that_takes_longer_is_said(signed_in: Ovd, platform: Platform) -> None:
    platform.learning.is_swapping = True
    said = signed_in("promote", "acme/flow", "2")
    assert said.code == 0
    assert "becomes live when a process of it is ready" in said.out


def test_reject(signed_in: Ovd) -> None:
    assert signed_in("reject", "acme/flow", "1").out == "Model 1 of acme/flow is rejected.\n"


def test_rollback_to_the_one_before_or_to_a_number(signed_in: Ovd, platform: Platform) -> None:
    assert signed_in("rollback", "acme/flow").code == 0
    assert signed_in("rollback", "acme/flow", "--to", "2", "--reason", "It drifted.").code == 0
    assert platform.learning.bodies == [("rollback", {}), ("rollback", {"to": 2, "reason": "It drifted."})]
    platform.learning.is_empty = True
    said = signed_in("rollback", "acme/flow")
    assert (said.code, said.err) == (1, "No version was live before.\n")


def test_live_says_which_and_since_when(signed_in: Ovd, platform: Platform) -> None:
    said = signed_in("live", "acme/flow", "--at", "2026-03-05T00:00:00Z")
    assert said.out == (
        f"Model 2 of acme/flow at 2026-03-05 00:00:00 UTC.\npromote by gate at 2026-03-02 12:00:00 UTC: {VERDICT}\n"
    )
    assert signed_in("live", "acme/flow", "--at", "yesterday").err == "at: It is no moment.\n"
    platform.learning.is_empty = True
    assert "had no live model at" in signed_in("live", "acme/flow").out
