"""The story of a task: what is told is numbered, what is too much is forgotten, and the end is the end."""

import json
from typing import Any

import pytest

from ovd import story
from ovd.protocol import Decoder


def told(which: story.Story, after: int = 0) -> list[dict[str, Any]]:
    """The events after that number."""
    frames, last = which.after(after, 1 << 30)
    assert last == which.last
    return [header for header, _ in Decoder().feed(frames)]


def test_events_have_numbers_in_their_order_and_the_rest_comes_later() -> None:
    which = story.Story(lambda: None)
    for value in range(3):
        which.tell("metric", {"name": "loss", "value": value, "step": None})
    first, last = which.after(0, 1)
    assert last == 1 and len(Decoder().feed(first)) == 1
    assert [event["seq"] for event in told(which, last)] == [2, 3]


def test_of_progress_and_checkpoints_only_the_latest_is_kept() -> None:
    which = story.Story(lambda: None)
    for step in range(10):
        which.tell("progress", {"fraction": step / 10, "message": ""})
        which.tell("checkpoint", {"file": f"checkpoint-{step}", "size": 1})
    assert [(event["seq"], event["kind"]) for event in told(which)] == [(19, "progress"), (20, "checkpoint")]


def test_a_hundred_thousand_metrics_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert story.METRICS == 100_000
    monkeypatch.setattr(story, "METRICS", 100)
    which = story.Story(lambda: None)
    for value in range(250):
        which.tell("metric", {"name": "loss", "value": value, "step": value})
    which.tell("done", {})
    assert [event["body"].get("value") for event in told(which)] == [*range(150, 250), None]


def test_lines_that_nobody_has_read_become_one_event_and_read_ones_do_not_change() -> None:
    which = story.Story(lambda: None)
    for line in ("a\n", "b\n"):
        which.log(line, "stdout")
    assert [event["body"]["text"] for event in told(which)] == ["a\nb\n"]
    which.log("c\n", "stdout")
    which.log("d\n", "stderr")
    assert [(event["seq"], event["body"]["text"]) for event in told(which)] == [(1, "a\nb\n"), (2, "c\n"), (3, "d\n")]


def test_of_printed_text_the_latest_256_kib_are_kept() -> None:
    which = story.Story(lambda: None)
    for number in range(200):
        which.log(f"{number}:" + "x" * 4000 + "\n", "stdout")
    text = "".join(event["body"]["text"] for event in told(which))
    assert 128 << 10 < len(text) <= story.LOG
    assert text.splitlines()[-1].startswith("199:")


def test_whoever_prints_waits_for_a_client_that_reads_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "PATIENCE", 0.01)
    which = story.Story(lambda: None)
    which.log("x", "stdout")
    told(which)
    for _ in range(100):
        which.log("y" * 10_000, "stdout")  # returns although nobody reads any more
    assert told(which)


def test_after_the_end_nothing_is_added() -> None:
    which = story.Story(lambda: None)
    assert which.tell("done", {"metrics": {}})
    assert not which.tell("failed", {"code": "timeout"})
    which.log("late", "stdout")
    assert [event["kind"] for event in told(which)] == ["done"]
    assert which.is_over


def test_what_cannot_be_sent_is_refused_and_leaves_no_gap() -> None:
    which = story.Story(lambda: None)
    with pytest.raises(ValueError, match="JSON"):
        which.tell("metric", {"value": float("nan")})
    which.tell("started", {})
    assert json.loads(json.dumps(told(which)))[0]["seq"] == 1


def test_each_change_is_told() -> None:
    changes: list[None] = []
    which = story.Story(lambda: changes.append(None))
    which.tell("started", {})
    which.log("text", "stdout")
    assert len(changes) == 2
