"""The command line on the laptop, in processes of its own: new, check, run, plugins, and how errors are said."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ovd.cli import main

APPS = Path(__file__).resolve().parents[1] / "apps"


class Said(NamedTuple):
    code: int
    out: str
    err: str


Ovd = Callable[..., Said]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # running an application adds its folder
    return tmp_path


@pytest.fixture
def ovd(here: Path, capfd: pytest.CaptureFixture[str]) -> Ovd:
    """`ovd`, as a person in that folder sees it."""

    def run(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = Said(int(ended.value.code or 0), *capfd.readouterr())
        assert "ovd itself failed" not in said.err
        return said

    return run


def ovd_process(*arguments: str, path: Path | None = None, before: str = "") -> Said:
    """The same in a process of its own, with distributions in `path`, after the statement `before`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\nfrom ovd.cli import main; main()", *arguments],
        env={**os.environ, "PYTHONPATH": str(path or "")},
        capture_output=True,
        encoding="utf-8",
    )
    return Said(done.returncode, done.stdout, done.stderr)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# new


@pytest.mark.parametrize("options", [[], ["--command"]])
def test_a_new_folder_passes_its_check_at_once(ovd: Ovd, options: list[str]) -> None:
    said = ovd("new", "first-try", *options)
    assert said.code == 0
    assert "ovd check" in said.out
    said = ovd("check", "first-try")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("✓ samples/")
    assert said.out.endswith("first-try is in order.\n")


def test_new_names_the_application_after_its_folder(ovd: Ovd, tmp_path: Path) -> None:
    assert ovd("new", "apps/first-try").code == 0
    manifest = (tmp_path / "apps/first-try/ovd.toml").read_text()
    assert 'name = "first-try"' in manifest
    assert 'title = "First try"' in manifest
    assert (tmp_path / "apps/first-try/.gitignore").is_file()
    assert "{{" not in "".join(path.read_text() for path in (tmp_path / "apps/first-try").glob("*.*"))


def test_new_never_touches_what_is_there(ovd: Ovd, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "app.py").write_text("precious")
    said = ovd("new", "mine")
    assert (said.code, said.err) == (1, "mine is already there. Take another name, or move it away.\n")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["app.py"]


@pytest.mark.parametrize("name", ["Water", "9lives", "x", "-a", "a_b", "a" * 41])
def test_new_refuses_names_that_no_platform_takes(ovd: Ovd, name: str, tmp_path: Path) -> None:
    said = ovd("new", "--", name)
    assert said.code == 1
    assert "lower-case letters" in said.err
    assert not (tmp_path / name).exists()


# check


def test_check_names_file_line_key_and_cure(ovd: Ovd, tmp_path: Path) -> None:
    ovd("new", "mine")
    change(tmp_path / "mine/ovd.toml", "timeout = 60", "timeuot = 60")
    said = ovd("check", "mine")
    assert said.code == 1
    line = (tmp_path / "mine/ovd.toml").read_text().splitlines().index(
        "timeuot = 60  # seconds; a longer execution is stopped"
    ) + 1
    assert said.out.startswith(f"ovd.toml:{line}  execute.timeuot  ")
    assert 'Did you mean "timeout"?' in said.out


def test_check_tells_a_sample_that_gives_something_else(ovd: Ovd, tmp_path: Path) -> None:
    ovd("new", "mine")
    change(tmp_path / "mine/samples/steps.json", '"roughness": 1.0', '"roughness": 2.0')
    said = ovd("check", "mine")
    assert said.code == 1
    assert said.out.startswith("✗ samples/steps  ")
    assert "roughness is 1.0, expected 2.0" in said.out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("class Application", "class Elsewhere", "no class Application"),
        ("from ovd import App", "from ovd import Apple, App", "app.py:3"),
        ("window: int = ", "window: str = ", "window"),
        ("def execute(", "def exceute(", "execute"),
        ("smoothed=Series", "smoothd=Series", "smoothd"),
    ],
)
def test_check_tells_mistakes_in_the_code(ovd: Ovd, tmp_path: Path, old: str, new: str, told: str) -> None:
    ovd("new", "mine")
    change(tmp_path / "mine/app.py", old, new)
    said = ovd("check", "mine")
    assert said.code == 1
    assert told in said.out


def test_check_of_what_is_no_application_says_so(ovd: Ovd, tmp_path: Path) -> None:
    assert "gone is not a folder" in ovd("check", "gone").err
    said = ovd("check")
    assert said.code == 1
    assert "There is no ovd.toml" in said.out


def test_check_survives_an_application_that_ends_the_process(ovd: Ovd, tmp_path: Path) -> None:
    ovd("new", "mine")
    change(tmp_path / "mine/app.py", "from ovd import App", "import os\nos._exit(0)\nfrom ovd import App")
    said = ovd("check", "mine")
    assert said.code == 1
    assert "ended without a result" in said.err


# run


def test_run_prints_outputs_on_stdout_and_the_log_on_stderr(ovd: Ovd) -> None:
    said = ovd("run", str(APPS / "slow"), "seconds=0.01", "steps=2")
    assert (said.code, said.out) == (0, "Steps done: 2\nThe seed it was given: 0\n")
    assert said.err.startswith("step 1 of 2\nstep 2 of 2\nSucceeded in ")


def test_run_takes_a_sample_and_replaces_some_of_it(ovd: Ovd) -> None:
    assert ovd("run", str(APPS / "echo"), "--sample", "greeting").out == "Result: hello\n"
    assert ovd("run", str(APPS / "echo"), "--sample", "greeting", "times=2").out == "Result: hellohello\n"
    assert (
        "no sample 'greting'. Did you mean \"greeting\"?" in ovd("run", str(APPS / "echo"), "--sample", "greting").err
    )


def test_run_as_json_tells_everything(ovd: Ovd) -> None:
    document = json.loads(ovd("run", str(APPS / "slow"), "seconds=0", "steps=1", "--seed", "9", "--json").out)
    assert document["status"] == "succeeded"
    assert document["outputs"] == {"steps": 1, "seed": 9}
    assert document["log"] == "step 1 of 1\n"


def test_run_sends_files_in_and_writes_those_that_come_out(ovd: Ovd, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("water")
    said = ovd("run", str(APPS / "command-upper"), "words=@words.txt", "--out", "results")
    assert said.code == 0, said.err
    assert (tmp_path / "results" / "upper.txt").read_text() == "WATER!"
    assert "The text in upper case: upper.txt (text/plain, 6 bytes)" in said.out


def test_run_names_each_wrong_input(ovd: Ovd) -> None:
    said = ovd("run", str(APPS / "slow"), "seconds=-1", "steps=many")
    assert (said.code, said.out) == (1, "")
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["seconds", "steps"]


@pytest.mark.parametrize(
    ("way", "told"),
    [("reject", "Rejected: This input is not for me, sorry."), ("exit", "sys.exit"), ("memory", "ran out of memory")],
)
def test_run_says_why_it_did_not_succeed(ovd: Ovd, way: str, told: str) -> None:
    said = ovd("run", str(APPS / "crasher"), f"way={way}")
    assert said.code == 1
    assert told in said.err


def test_run_shows_the_line_of_the_author_where_it_failed(ovd: Ovd) -> None:
    said = ovd("run", str(APPS / "crasher"), "way=raise")
    assert said.code == 1
    assert "in fail_deeply" in said.err
    assert "ovd/execution.py" not in said.err
    assert said.err.endswith("Failed: ValueError: the author made a mistake\n")


# the command itself


def test_a_command_that_is_not_known_exits_with_2_and_names_the_nearest(ovd: Ovd) -> None:
    said = ovd("exeucte")
    assert said.code == 2
    assert "execute" in said.err


def test_help_is_quick_because_it_loads_nothing_heavy(here: Path) -> None:
    watch = "import atexit, sys; atexit.register(lambda: print(sorted({'httpx', 'rich', 'django'} & set(sys.modules))))"
    said = ovd_process("--help", before=watch)
    assert said.code == 0
    assert said.out.endswith("\n[]\n")


def test_without_typer_one_line_says_how_to_install_it(here: Path) -> None:
    said = ovd_process("check", before="import sys; sys.modules['typer'] = None")
    assert said.code == 1
    assert said.err == "The command ovd needs three more libraries. Install them with: pip install 'ovd[cli]'\n"


def test_version_is_said(ovd: Ovd) -> None:
    assert ovd("--version").out.startswith("ovd 0.")


def plugin(folder: Path, name: str, source: str) -> None:
    """An installed distribution that adds commands."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ovd.commands]\n{name} = {name}:register\n")


GOOD = "def register(app):\n    @app.command()\n    def greet(who: str = 'you'):\n        print('hello', who)\n"


def test_installed_distributions_add_commands(here: Path) -> None:
    plugin(here, "friendly", GOOD)
    assert "greet" in ovd_process("--help", path=here).out
    assert ovd_process("greet", "--who", "me", path=here).out == "hello me\n"


@pytest.mark.parametrize(
    "source",
    [
        "import a_library_that_is_missing",
        "def register(app):\n    raise ValueError('no')\n",
        "def register(app):\n    @app.command()\n    def bad(who: 'Missing'):\n        pass\n",
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_and_the_others_work(here: Path, source: str) -> None:
    plugin(here, "broken", source)
    plugin(here, "friendly", GOOD)
    said = ovd_process("greet", path=here)
    assert (said.code, said.out) == (0, "hello you\n")
    assert said.err.startswith("The commands of 'broken' (broken:register) are missing: ")
    assert ovd_process("new", "mine", path=here).err == "", "our own commands do not even look at plugins"
