"""Learning on the author's machine: the same code and the same rules as on the platform."""

import json
from pathlib import Path
from typing import Any

import pytest

from ovd import testing
from ovd.context import Context
from sdk.processes import APPS, folder_of

CODE = """
    import json
    from ovd import App, Context, Evaluation, Image

    class Tried(App):
        def setup(self, model):
            self.mean = json.loads((model / "mean.json").read_text()) if model else 0.0
        def execute(self, context: Context) -> float:
            return self.mean
        def learn(self, context: Context, data, parent, target):
            WORK
            (target / "mean.json").write_text("1.0")
            return {"samples": len(data)}
        def evaluate(self, context: Context, data):
            WORK
            return Evaluation({"mae": 1.0})
"""
LEARNS = (
    '[learn]\n[learn.sample]\nflow = "number"\nphoto = { kind = "image", optional = true }\n[gate]\nmetric = "mae"\n'
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def app(where: Path, work: str) -> Path:
    return folder_of(where / "app", CODE.replace("WORK", work.replace("\n", "\n" + " " * 12)), manifest=LEARNS)


def test_what_the_code_tells_is_told(tmp_path: Path) -> None:
    work = (
        'context.progress(0.5, "half")\ncontext.metric("loss", 2, step=1)\ncontext.log("line")\n'
        "(context.scratch / 'x').touch()"
    )
    told: list[dict[str, Any]] = []
    testing.learn(app(tmp_path, work), [{"flow": 1}], tmp_path / "model", tell=told.append)
    assert told == [
        {"event": "progress", "fraction": 0.5, "message": "half"},
        {"event": "metric", "name": "loss", "value": 2.0, "step": 1},
        {"event": "log", "text": "line"},
    ]


def test_a_file_is_named_by_its_path_and_comes_as_an_image(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    work = "photo = data[0]['photo']\nassert isinstance(photo, Image) and photo.bytes[:4] == b'\\x89PNG', photo"
    rows = [{"flow": 1, "photo": str(tmp_path / "cat.png")}]
    folder = app(tmp_path, work)
    assert testing.learn(folder, rows, tmp_path / "model") == {"samples": 1.0}
    assert testing.evaluate(folder, rows).metrics == {"mae": 1.0}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"flow": 1}, {"flow": "1"}], 'Sample 2: "flow" must be a number'),
        ([{}], 'Sample 1: "flow" is missing'),
        ([7], "Sample 1: A sample must be an object"),
        ([{"flow": 1, "photo": "nowhere.png"}], 'Sample 1: "photo" names the file'),
    ],
)
def test_what_the_intake_would_refuse_is_refused(tmp_path: Path, rows: list[Any], words: str) -> None:
    folder = app(tmp_path, "pass")
    with pytest.raises(testing.Failed, match=words):
        testing.learn(folder, rows, tmp_path / "model")
    with pytest.raises(testing.Failed, match=words):
        testing.evaluate(folder, rows)


def test_a_checkpoint_survives_and_giving_way_can_be_tried(tmp_path: Path) -> None:
    work = """state = context.checkpoint / "step.json"
step = json.loads(state.read_text()) if state.exists() else 0
state.write_text(json.dumps(step + 1))
context.save()"""
    told: list[dict[str, Any]] = []
    folder = app(tmp_path, work)
    with pytest.raises(testing.Yielded):
        testing.learn(folder, [], tmp_path / "model", checkpoint=tmp_path / "kept", yields=True, tell=told.append)
    assert [event["event"] for event in told] == ["checkpoint"]
    testing.learn(folder, [], tmp_path / "model", checkpoint=tmp_path / "kept")
    assert json.loads((tmp_path / "kept" / "step.json").read_text()) == 2
    testing.learn(folder, [], tmp_path / "model")  # without a folder, each run begins anew


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("(target / 'x').symlink_to('/etc/passwd')", "The folder `target` cannot be kept: 'x' is a link"),
        ("(context.checkpoint / 'x').symlink_to('/'); context.save()", "The folder `checkpoint` cannot be kept"),
        ("context.metric('loss', float('nan'))", "must be a finite number"),
    ],
)
def test_what_the_platform_could_not_keep_fails_here_too(tmp_path: Path, work: str, words: str) -> None:
    with pytest.raises(testing.Failed, match=words):
        testing.learn(app(tmp_path, work), [{"flow": 1}], tmp_path / "model")


def test_saving_and_checkpoints_are_for_learning_only(tmp_path: Path) -> None:
    context = Context(scratch=lambda: tmp_path)
    with pytest.raises(RuntimeError, match="only while an application learns"):
        _ = context.checkpoint
    with pytest.raises(RuntimeError, match="Only an application that learns"):
        context.save()
    assert context.should_yield is False


def test_async_methods_are_awaited(tmp_path: Path) -> None:
    folder = app(tmp_path, "import asyncio\nawait asyncio.sleep(0)")
    code = (folder / "app.py").read_text()
    (folder / "app.py").write_text(code.replace("def learn", "async def learn").replace("def eval", "async def eval"))
    assert testing.learn(folder, [], tmp_path / "model") == {"samples": 0.0}
    assert testing.evaluate(folder, []).metrics == {"mae": 1.0}


def test_the_small_applications_of_our_own_tests_that_learn_pass() -> None:
    for folder in APPS.iterdir():
        if (folder / "ovd.toml").is_file() and "[learn" in (folder / "ovd.toml").read_text():
            assert testing.check(folder).ok, folder.name
