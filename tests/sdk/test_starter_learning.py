"""The starter that learns: it is in order, learns at once from the data beside it, and what it learned is better than
nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from ovd import testing
from ovd.testing import Yielded
from sdk.command_line import Ovd
from sdk.processes import Start
from sdk.task_process import client_of, contents


@pytest.fixture
def folder(ovd: Ovd, tmp_path: Path) -> Path:
    said = ovd("new", "first-lesson", "--learning")
    assert said.code == 0
    assert "ovd feed ORG/first-lesson data.jsonl --watch" in said.out
    return Path("first-lesson").resolve()


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "data.jsonl").read_text().splitlines()]


def test_it_passes_its_check(ovd: Ovd, folder: Path) -> None:
    said = ovd("check", str(folder))
    assert (said.code, said.err) == (0, "")
    assert "{{" not in "".join(path.read_text() for path in folder.glob("*.*"))


def test_it_learns_on_the_authors_machine_and_is_better_than_without_a_model(folder: Path, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    known, unseen = rows(folder)[:160], rows(folder)[160:]
    assert testing.learn(folder, known, tmp_path / "model", tell=told.append) == {"samples": 160.0}
    kinds = [event["event"] for event in told]
    assert kinds.count("metric") == kinds.count("progress") == 8
    assert told[-1]["fraction"] == 1.0
    learned = testing.evaluate(folder, unseen, tmp_path / "model")
    without = testing.evaluate(folder, unseen)
    assert learned.metrics["error"] < 0.4 < without.metrics["error"]
    assert learned.scores is not None and len(learned.scores) == 40
    value = testing.run(folder, {"reading": 20.0}, model=tmp_path / "model").outputs["value"]
    assert abs(value - (1.04 * 20 + 1.7)) < 0.2


def test_it_gives_way_and_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    for count in (1, 2):
        with pytest.raises(Yielded):
            testing.learn(folder, rows(folder), tmp_path / "model", checkpoint=checkpoint, yields=True)
        assert json.loads((checkpoint / "line.json").read_text())["count"] == count
    testing.learn(folder, rows(folder), tmp_path / "model", checkpoint=checkpoint)
    testing.learn(folder, rows(folder), tmp_path / "at-once")
    assert (tmp_path / "model" / "line.json").read_text() == (tmp_path / "at-once" / "line.json").read_text()


def test_it_learns_in_a_process_of_the_platform(folder: Path, start: Start, tmp_path: Path) -> None:
    client = client_of(start(folder, "--task"))
    client.learn(rows(folder))
    kind, body = client.end()
    assert kind == "done", body
    model = tmp_path / "model"
    model.mkdir()
    (model / "line.json").write_bytes(contents(client.fetch(body["file"]))["line.json"])
    judge = client_of(start(folder, "--task", "--model", str(model)))
    judge.evaluate(rows(folder))
    kind, body = judge.end()
    assert kind == "done", body
    assert body["metrics"]["error"] < 0.4
    assert body["execution_seconds"] is not None
    assert [run["status"] for run in body["samples"]] == ["passed"]


def test_a_command_cannot_learn(ovd: Ovd) -> None:
    said = ovd("new", "both", "--learning", "--command")
    assert (said.code, Path("both").exists()) == (1, False)
    assert "A command cannot learn" in said.err
