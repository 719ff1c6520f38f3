"""Check and try on the author's machine: every mistake is a problem with its place, never a traceback of ours."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ovd import testing
from sdk.processes import APPS, folder_of

GOOD = """
    from ovd import App, Context, Outputs, integer, number

    class Answer(Outputs):
        double: float = number(label="Double")

    class Tried(App):
        def execute(self, context: Context, x: int = integer(default=1, minimum=0)) -> Answer:
            print("working")
            return Answer(double=2 * x)
"""


def found(folder: Path) -> testing.Problem:
    report = testing.check(folder)
    assert not report.ok
    return report.problems[0]


def test_a_good_folder_passes_and_describes_itself(tmp_path: Path) -> None:
    samples = {"two": {"title": "Two", "credit": "me", "inputs": {"x": 2}, "expect": {"double": 4.0000001}}}
    report = testing.check(folder_of(tmp_path, GOOD, samples=samples))
    assert report.ok, report
    assert [(sample.name, sample.status) for sample in report.samples] == [("two", "passed")]
    assert report.schema is not None
    assert report.schema["samples"] == [
        {"name": "two", "title": "Two", "credit": "me", "licence": "", "inputs": {"x": 2}}
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("class Tried(App)", "class Tryed(App)", ("ovd.toml", 3, "entry"), 'Did you mean "Tryed"?'),
        ("class Tried(App)", "class Tried", ("ovd.toml", 3, "entry"), "is not a class of ovd.App"),
        ("def execute", "def run", ("app.py", 7, "execute"), "has no method execute"),
        ("x: int = integer(default=1, minimum=0)", "x", ("app.py", 8, "x"), 'Input "x" has no type'),
        ("x: int = integer(default=1, minimum=0)", "*x: int", ("app.py", 8, "x"), "Name each input"),
        ("x: int = integer(default=1", "x: str = integer(default=1", ("app.py", 8, "x"), "annotated str but its field"),
        ("x: int = integer(default=1", "x: int = integer(default=-1", ("app.py", 8, "x"), "the least is 0"),
        ("x: int = integer(default=1, minimum=0)", "x: set = None", ("app.py", 8, "x"), "cannot be sent"),
        (
            "x: int = integer(default=1, minimum=0)",
            "x: int = integer(minimum=2, maximum=1)",
            ("app.py", 8, "x"),
            "over the maximum",
        ),
        (
            'double: float = number(label="Double")',
            'double: float = number(maximum=float("inf"))',
            ("app.py", 5, "double"),
            "has inf as a bound",
        ),
        ("x: int =", "x: 'Nope' =", ("app.py", 8, "execute"), "A type cannot be understood"),
        (" -> Answer", "", ("app.py", 8, "return"), "does not say what it returns"),
        (" -> Answer", " -> object", ("app.py", 8, "result"), "cannot be sent"),
        ("double: float", "double: dict", ("app.py", 5, "double"), "annotated dict but its field is number"),
        ("double: float = number", "double = number", ("app.py", 5, "double"), "has no type"),
        ('double: float = number(label="Double")', "pass", ("app.py", 4, "Answer"), "declares no output"),
        ("Answer(double=", "Answer(duble=", ("app.py", 10, "duble"), 'Did you mean "double"?'),
        ("return Answer(", "return Answer((", ("app.py", 10, ""), "Not Python"),
        ("from ovd import App", "import nope\nfrom ovd import App", ("app.py", 2, "nope"), "There is no module nope"),
        ("from ovd import App", "1 / 0\nfrom ovd import App", ("app.py", 2, ""), "ZeroDivisionError"),
        ("from ovd import App", "import sys; sys.exit(3)\nfrom ovd import App", ("app.py", 2, ""), "SystemExit"),
        (
            "def execute(",
            "def setup(self, model):\n            1 / 0\n        def execute(",
            ("app.py", 9, "setup"),
            "ZeroDivisionError",
        ),
        (
            "def execute(",
            "def __init__(self):\n            1 / 0\n        def execute(",
            ("app.py", 9, "Tried"),
            "ZeroDivisionError",
        ),
    ],
)
def test_a_mistake_in_the_code_is_a_problem_with_its_place(
    tmp_path: Path, old: str, new: str, place: tuple[str, int, str], words: str
) -> None:
    assert old in GOOD
    problem = found(folder_of(tmp_path, GOOD.replace(old, new.replace("\nfrom", "\n    from"))))
    assert (problem.file, problem.line, problem.key) == place, problem
    assert words in f"{problem.message} {problem.cure}"


def test_a_missing_module_names_the_manifest(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, GOOD)
    (folder / "app.py").unlink()
    assert (found(folder).file, found(folder).key) == ("ovd.toml", "entry")


def test_a_manifest_that_promises_learning_needs_the_methods(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, GOOD, manifest='[learn]\n[gate]\nmetric = "mae"\n')
    assert [problem.line for problem in testing.check(folder).problems] == [4, 4]


@pytest.mark.parametrize(
    ("sample", "line", "words"),
    [
        ('{"inputs": {\n', 2, "Not JSON"),
        ("[]", 1, "Must be an object"),
        ({}, 0, "no object of inputs"),
        ({"inputs": {"x": "1"}}, 3, 'Input "x" must be a whole number'),
        ({"inputs": {}, "titel": "T"}, 3, 'Did you mean "title"?'),
        ({"inputs": {}, "expect": {"duble": 1}}, 4, "expected but not declared"),
        ({"inputs": {}, "tolerance": "small"}, 3, "tolerance must be a number"),
    ],
)
def test_an_unreadable_or_wrong_sample_is_a_problem(tmp_path: Path, sample: Any, line: int, words: str) -> None:
    problem = found(folder_of(tmp_path, GOOD, samples={"bad": sample}))
    assert (problem.file, problem.line) == ("samples/bad.json", line), problem
    assert words in f"{problem.message} {problem.cure}"


def test_a_sample_may_not_reach_outside_its_folder(tmp_path: Path) -> None:
    code = GOOD.replace("x: int = integer(default=1, minimum=0)", "x: File").replace("App,", "App, File,")
    problem = found(folder_of(tmp_path, code, samples={"bad": {"inputs": {"x": {"file": "../app.py"}}}}))
    assert "is not beside the sample" in problem.message


def test_a_sample_that_gives_something_else_fails_and_says_what(tmp_path: Path) -> None:
    samples: dict[str, Any] = {"a": {"inputs": {"x": 2}, "expect": {"double": 5}}}
    report = testing.check(folder_of(tmp_path / "a", GOOD, samples=samples))
    assert not report.ok
    assert report.samples[0].message == "Output double is 4, expected 5."
    raising = GOOD.replace("double=2 * x", "double=1 / 0")
    report = testing.check(folder_of(tmp_path / "b", raising, samples=samples))
    assert report.samples[0].message == "app.py:10: ZeroDivisionError: division by zero"


def test_the_command_prints_only_events_whatever_the_author_prints(tmp_path: Path) -> None:
    code = "import os\nos.system('echo from a child')\nprint('from the module')\n" + GOOD.replace("\n    ", "\n")
    folder = folder_of(tmp_path, code, samples={"one": {"inputs": {}}})
    arguments = [sys.executable, "-m", "ovd.testing", str(folder), "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["schema", "sample", "done"]
    assert done.returncode == 0
    assert "from a child" in done.stderr and "from the module" in done.stderr
    (folder / "ovd.toml").write_text("nothing")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["problem", "done"]
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["echo", "slow", "crasher", "image-size", "command-upper"])
def test_the_small_applications_of_our_own_tests_pass(name: str) -> None:
    assert testing.check(APPS / name).ok


def test_run_executes_with_files_given_as_paths_and_writes_files(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("hello")
    told: list[dict[str, Any]] = []
    outcome = testing.run(
        APPS / "command-upper", {"words": tmp_path / "words.txt"}, into=tmp_path / "out", tell=told.append
    )
    assert outcome.succeeded, outcome
    assert outcome.outputs["upper"]["path"] == str(tmp_path / "out" / "upper.txt")
    assert (tmp_path / "out" / "upper.txt").read_text() == "HELLO!"
    assert outcome.outputs["characters"] == 6
    assert "reading 5 bytes" in outcome.log
    assert told[0]["type"] == "log"


def test_run_reads_a_series_from_a_csv_file(tmp_path: Path) -> None:
    code = """
        from ovd import App, Series
        class Tried(App):
            def execute(self, context, flow: Series) -> str:
                return f"{flow.times[0].year} {sum(v for v in flow.values if v is not None)}"
    """
    (tmp_path / "flow.csv").write_text(
        "time,flow\n2022-03-01T00:00:00,1\n2022-03-01T01:00:00,\n2022-03-01T02:00:00,2\n"
    )
    outcome = testing.run(folder_of(tmp_path / "app", code), {"flow": str(tmp_path / "flow.csv")})
    assert outcome.outputs == {"result": "2022 3"}


def test_run_refuses_inputs_that_do_not_fit_and_tells_all() -> None:
    outcome = testing.run(APPS / "echo", {"times": 99, "mesage": "x"})
    assert outcome.status == "refused"
    assert [error.field for error in outcome.errors] == ["message", "times", "mesage"]
    assert (
        testing.run(APPS / "image-size", {"photo": "nowhere.png"}).errors[0].message == "there is no file nowhere.png."
    )


@pytest.mark.parametrize(("way", "status"), [("reject", "rejected"), ("raise", "failed"), ("exit", "failed")])
def test_run_tells_how_an_execution_ended(way: str, status: str) -> None:
    assert testing.run(APPS / "crasher", {"way": way}).status == status


LEARNER = """
    import json
    from ovd import App, Context, Evaluation

    class Tried(App):
        def setup(self, model):
            self.mean = json.loads((model / "mean.json").read_text()) if model else 0.0
        def execute(self, context: Context) -> float:
            return self.mean
        def learn(self, context: Context, data, parent, target):
            context.progress(0.5, "half")
            assert all(time.tzinfo for time in data.column("time"))
            values = data.column("flow")
            (target / "mean.json").write_text(json.dumps(sum(values) / len(values)))
            return {"samples": len(data)}
        def evaluate(self, context: Context, data):
            scores = [abs(row["flow"] - self.mean) for row in data]
            return Evaluation({"mae": sum(scores) / len(scores)}, scores)
"""
LEARNS = '[learn]\n[learn.sample]\ntime = "datetime"\nflow = "number"\n[gate]\nmetric = "mae"\n'
ROWS = [{"time": f"2022-03-01T0{hour}:00:00Z", "flow": hour} for hour in range(5)]


def test_learning_fills_a_folder_that_execute_and_evaluate_then_use(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "app", LEARNER, manifest=LEARNS)
    assert testing.learn(folder, ROWS, tmp_path / "model") == {"samples": 5.0}
    assert testing.run(folder, {}, model=tmp_path / "model").outputs == {"result": 2.0}
    found = testing.evaluate(folder, ROWS, tmp_path / "model")
    assert found.metrics == {"mae": 1.2}
    assert found.scores == [2.0, 1.0, 0.0, 1.0, 2.0]
    assert testing.evaluate(folder, ROWS).metrics == {"mae": 2.0}


@pytest.mark.parametrize(
    ("old", "new", "rows", "words"),
    [
        ('{"samples": len(data)}', "None", ROWS, "must return metrics by name"),
        ('{"samples": len(data)}', '{"loss": float("nan")}', ROWS, "must be a finite number"),
        ('(target / "mean.json").write_text(', "str(", ROWS, "left the folder `target` empty"),
        ("x", "x", [{"time": "yesterday", "flow": 1}], "Sample 1: \"time\" is the text 'yesterday'"),
        ("x", "x", [*ROWS, {"flw": 1}], '"flw" is not a field'),
    ],
)
def test_learning_that_goes_wrong_says_how(tmp_path: Path, old: str, new: str, rows: Any, words: str) -> None:
    folder = folder_of(tmp_path / "app", LEARNER.replace(old, new), manifest=LEARNS)
    with pytest.raises(testing.Failed, match=words):
        testing.learn(folder, rows, tmp_path / "model")


def test_an_application_that_only_executes_cannot_learn(tmp_path: Path) -> None:
    with pytest.raises(testing.ProblemsFound, match="does not learn"):
        testing.learn(APPS / "echo", [], tmp_path / "model")


def test_the_check_says_what_the_template_will_import(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, GOOD)
    (folder / "requirements.lock").write_text("scikit-learn==1.9.1\n")
    events: list[testing.Event] = []
    testing.check(folder, tell=events.append)
    told = next(event for event in events if event["event"] == "preload")
    assert "sklearn.linear_model" in told["modules"]
    assert told["source"] == "lock"
