"""The digits: pictures in, a digit out; learns from labels, gives way, and goes on from its checkpoint."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uv

from acceptance.examples_at_work import ROOT, Example, example

Rows = list[dict[str, Any]]
FOLDER = ROOT / "examples" / "digits"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return example("digits", tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The first 600, as the feed names them."""
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, FOLDER / "make_feed.py", folder, "--count", "600"], check=True, capture_output=True)
    files = sorted(folder.glob("*/*.png"), key=lambda file: file.name)
    return [{"image": str(file), "label": file.parent.name} for file in files]


@pytest.fixture(scope="module")
def model(digits: Example, pictures: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned from the first 400."""
    target = tmp_path_factory.mktemp("model")
    assert "metrics" in digits.ask(learning(pictures[:400], target))[0]
    return target


def learning(rows: Rows, target: Path, **more: Any) -> dict[str, Any]:
    target.mkdir(exist_ok=True)
    return {"call": "learn", "rows": rows, "target": str(target), **more}


def test_its_check_passes(digits: Example) -> None:
    done = digits.check()
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_learns_to_read_most_of_what_it_has_not_seen(digits: Example, pictures: Rows, model: Path) -> None:
    unseen = pictures[400:]
    naive, learned = digits.ask(
        {"call": "evaluate", "rows": unseen, "model": None}, {"call": "evaluate", "rows": unseen, "model": str(model)}
    )
    assert naive["metrics"]["accuracy"] == pytest.approx(0.1)
    assert learned["metrics"]["accuracy"] > 0.78  # they were written by other people
    assert len(learned["scores"]) == len(naive["scores"]) == 200 and set(learned["scores"]) == {0.0, 1.0}


def test_a_picture_is_read_with_how_sure_it_is(digits: Example, model: Path) -> None:
    outputs = digits.outputs({}, files={"image": FOLDER / "samples" / "seven.png"}, model=model)
    assert outputs["digit"] == "7" and outputs["confidences"]["rows"][0][0] == "7"
    assert sum(row[1] for row in outputs["confidences"]["rows"]) == pytest.approx(1, abs=0.01)


def test_without_a_model_it_does_not_pretend_to_know(digits: Example) -> None:
    outputs = digits.outputs({}, files={"image": FOLDER / "samples" / "one.png"})
    assert outputs["digit"] == "?" and {row[1] for row in outputs["confidences"]["rows"]} == {0.1}


def test_an_empty_picture_is_declined(digits: Example, tmp_path: Path) -> None:
    sys.path.insert(0, str(FOLDER))
    try:
        import make_feed
    finally:
        sys.path.remove(str(FOLDER))
    path = tmp_path / "white.png"
    path.write_bytes(make_feed.png("0" * 64))
    assert "shows nothing" in digits.refusal({}, files={"image": path})


def test_learning_tells_its_loss_and_how_far_it_is(digits: Example, pictures: Rows, tmp_path: Path) -> None:
    events = digits.ask(learning(pictures[:100], tmp_path / "model"))[0]["events"]
    losses = [event["value"] for event in events if event.get("name") == "loss"]
    assert len(losses) == 80 and losses[-1] < 0.1 * losses[0]
    assert [event["fraction"] for event in events if event["event"] == "progress"][-1] == 1.0
    assert any(event["event"] == "checkpoint" for event in events)


def test_giving_way_at_every_epoch_ends_at_the_same_model(digits: Example, pictures: Rows, tmp_path: Path) -> None:
    straight, bent, saved = tmp_path / "straight", tmp_path / "bent", tmp_path / "saved"
    digits.ask(learning(pictures[:60], straight, seed=5))
    ways = [learning(pictures[:60], bent, seed=5, checkpoint=str(saved), yields=True) for _ in range(30)]
    answers = digits.ask(*ways, learning(pictures[:60], bent, seed=5, checkpoint=str(saved)))
    assert all(answer.get("yielded") for answer in answers[:-1]) and "metrics" in answers[-1]
    assert (straight / "network.npz").read_bytes() == (bent / "network.npz").read_bytes()


def test_the_pictures_are_what_scikit_learn_ships() -> None:
    done = subprocess.run(
        [uv.find_uv_bin(), "run", "--quiet", "--no-project", "--with", "scikit-learn==1.9.1", "python",
         FOLDER / "make_feed.py", "--check"],
        env=dict(os.environ), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
