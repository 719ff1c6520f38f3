"""The next hour: an online learner, by the real stream of hours."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from acceptance.examples_at_work import Example, example

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def next_hour(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return example("next-hour", tmp_path_factory.mktemp("next-hour"))


@pytest.fixture(scope="module")
def stream(next_hour: Example) -> Rows:
    """All samples that its script makes, in order."""
    done = subprocess.run(
        [sys.executable, next_hour.folder / "make_stream.py"], check=True, capture_output=True, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def learning(rows: Rows, target: Path, parent: Path | None = None) -> dict[str, Any]:
    target.mkdir()
    return {"call": "learn", "rows": rows, "target": str(target), "parent": str(parent) if parent else None}


def inputs(sample: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in sample.items() if name != "flow"}


def test_its_check_passes(next_hour: Example) -> None:
    done = next_hour.check()
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_model_it_repeats_the_last_hour_and_says_so(next_hour: Example, stream: Rows) -> None:
    outputs = next_hour.outputs(inputs(stream[500]))
    assert outputs["forecast"] == stream[500]["last_hour"] and "Persistence" in outputs["note"]


def test_learning_bit_by_bit_is_learning_at_once(next_hour: Example, stream: Rows, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "0"
    requests = [learning(stream[:200], whole), learning(stream[:24], part)]
    for first in range(24, 200, 44):
        requests.append(learning(stream[first : first + 44], tmp_path / str(first), part))
        part = tmp_path / str(first)
    next_hour.ask(*requests)
    assert (whole / "model.json").read_bytes() == (part / "model.json").read_bytes()


def test_the_progressive_error_is_that_of_forecasts_made_before_learning(
    next_hour: Example, stream: Rows, tmp_path: Path
) -> None:
    learned, known = tmp_path / "learned", tmp_path / "known"
    before, after = next_hour.ask(learning(stream[:300], known), learning(stream[300:301], learned, known))
    said = next_hour.ask({"call": "evaluate", "rows": stream[300:301], "model": str(known)})[0]["metrics"]["mae"]
    assert after["metrics"]["mae_of_new"] == pytest.approx(said)
    total = before["metrics"]["progressive_mae"] * 300 + said
    assert after["metrics"]["progressive_mae"] == pytest.approx(total / 301)


def test_validation_is_on_record_as_curves_that_go_on_where_the_parent_ended(
    next_hour: Example, stream: Rows, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _, answer = next_hour.ask(learning(stream[:240], first), learning(stream[240:480], second, first))
    curve = [event for event in answer["events"] if event.get("name") == "progressive_mae"]
    assert [point["step"] for point in curve] == list(range(264, 481, 24))
    assert curve[-1]["value"] == pytest.approx(answer["metrics"]["progressive_mae"])


def test_over_the_whole_stream_it_beats_persistence(next_hour: Example, stream: Rows, tmp_path: Path) -> None:
    answer = next_hour.ask(learning(stream, tmp_path / "all"))[0]["metrics"]
    assert answer["seen"] == len(stream)
    assert answer["persistence_mae"] == pytest.approx(fmean(abs(s["flow"] - s["last_hour"]) for s in stream))
    assert answer["progressive_mae"] < 0.96 * answer["persistence_mae"]


def test_a_fall_teaches_nothing(next_hour: Example, stream: Rows, tmp_path: Path) -> None:
    fall = {**stream[400], "flow": 24.0}
    known, fell = tmp_path / "known", tmp_path / "fell"
    next_hour.ask(learning(stream[:400], known), learning([fall], fell, known))
    weights = [json.loads((folder / "model.json").read_text())["weights"] for folder in (known, fell)]
    assert weights[0] == weights[1]
