"""The manifest: what is right is read; what is wrong is named with line, key and cure."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovd import manifest
from ovd.problems import Problem
from ovd.toml_lines import lines_of
from sdk.processes import APPS

HEAD = 'name = "tried"\ntitle = "Tried"\nentry = "app:Tried"\n'
GATE = '[gate]\nmetric = "mae"\n'


def problems(folder: Path, text: str) -> list[Problem]:
    (folder / "ovd.toml").write_text(text)
    (folder / "requirements.lock").touch()
    with pytest.raises(manifest.ManifestError) as caught:
        manifest.load(folder)
    return caught.value.problems


def test_every_key_is_read_and_absent_ones_have_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "ovd.toml").write_text(
        HEAD
        + """
        authors = [{ name = "Ada", orcid = "0000-0002-1825-0097" }]
        tags = ["series"]
        [resources]
        memory_mb = 1024
        cpus = 0.5
        [sleep]
        after = 15
        [learn]
        schedule = "0 3 * * *"
        time_zone = "Europe/Madrid"
        on_wake = "yield"
        [learn.sample]
        time = "datetime"
        flow = "number"
        [gate]
        metric = "mae"
        """
    )
    found = manifest.load(tmp_path)
    assert (found.resources.memory_mb, found.resources.cpus, found.resources.gpus) == (1024, 0.5, 0)
    assert found.authors[0].name == "Ada"
    assert found.tags == ("series",)
    assert (found.sleep.after, found.sleep.wake, found.sleep.preload) == (15, "fork", ("auto",))
    assert (found.sleep.keep_awake, found.sleep.time_zone, found.sleep.predict) == ("", "UTC", False)
    assert (found.execute.concurrency, found.execute.max_replicas) == (1, 1)
    assert found.network.hosts == ()
    assert found.learn is not None and found.gate is not None
    assert [(field.name, field.kind) for field in found.learn.sample] == [("time", "datetime"), ("flow", "number")]
    assert (found.learn.on_wake, found.gate.direction) == ("yield", "min")


def test_without_the_table_learn_an_application_only_executes() -> None:
    assert not manifest.load(APPS / "echo").learns


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "cure"),
    [
        (HEAD + "[sleep]\nafterr = 3\n", 5, "sleep.afterr", "Unknown key", 'Did you mean "after"?'),
        (HEAD + "sumary = 'x'\n", 4, "sumary", "Unknown key", 'Did you mean "summary"?'),
        (HEAD + "[resorces]\ncpus = 1\n", 4, "resorces", "Unknown key", 'Did you mean "resources"?'),
        (
            HEAD + "[resources]\n\n# note\nmemory_mb = '512'\n",
            7,
            "resources.memory_mb",
            "whole number",
            "without quotes",
        ),
        (HEAD + "[resources]\nmemory_mb = 3\n", 5, "resources.memory_mb", "the least is 16", ""),
        (HEAD + "[execute]\nconcurrency = true\n", 5, "execute.concurrency", "must be a whole number, not True", ""),
        (HEAD + "[execute]\ntimeout = nan\n", 5, "execute.timeout", "must be a number", ""),
        (HEAD + "[execute]\ntimeout = inf\n", 5, "execute.timeout", "must be a number, not inf", ""),
        (HEAD + "[learn]\nquiet = 1e300\n" + GATE, 5, "learn.quiet", "the most is 1e+08", ""),
        (HEAD + "[sleep]\nwake = 'frok'\n", 5, "sleep.wake", "must be one of fork, spawn", 'Did you mean "fork"?'),
        (HEAD + "[sleep]\nkeep_awake = 'always'\n", 5, "sleep.keep_awake", "holds 'always'", "mon-fri 08:00-18:00"),
        (HEAD + "[sleep]\nkeep_awake = '8-18'\n", 5, "sleep.keep_awake", "which are no hours", "0 8 * * 1-5"),
        (HEAD + "[sleep]\nkeep_awake = '08:00-25:00'\n", 5, "sleep.keep_awake", "from 00:00 to 24:00", ""),
        (HEAD + "[sleep]\nkeep_awake = 'mo 08:00-18:00'\n", 5, "sleep.keep_awake", "holds 'mo 08:00", ""),
        (HEAD + "[sleep]\nkeep_awake = 'mon-fry 08:00-18:00'\n", 5, "sleep.keep_awake", "the day 'fry'", ""),
        (HEAD + "[sleep]\nkeep_awake = '61 8 * * *'\n", 5, "sleep.keep_awake", "from 0 to 59", ""),
        (HEAD + "[sleep]\nafter = 0\nkeep_awake = '0 8 * * *'\n", 6, "sleep.keep_awake", "fall asleep at once", ""),
        (HEAD + "[sleep]\ntime_zone = 'Madrid'\n", 5, "sleep.time_zone", "no time zone", "IANA"),
        (HEAD + "tags = ['a', 1]\n", 4, "tags", "list of texts", ""),
        (HEAD + "resources = 3\n", 4, "resources", "Must be a table", "Write [resources]"),
        (HEAD + "command = 'sh x.sh'\n", 4, "command", "both entry and command", ""),
        (HEAD + "[inputs.x]\nkind = 'text'\n", 4, "inputs", "signature of execute", ""),
        (HEAD + "[learn]\nschedule = 'daily'\n" + GATE, 5, "learn.schedule", "five fields of cron", ""),
        (HEAD + "[learn]\nschedule = '61 * * * *'\n" + GATE, 5, "learn.schedule", "from 0 to 59", '"0 3 * * *"'),
        (HEAD + "[learn]\nschedule = '0 0 30 2 *'\n" + GATE, 5, "learn.schedule", "its months do not have", ""),
        (HEAD + "[learn]\ntime_zone = 'Madrid'\n" + GATE, 5, "learn.time_zone", "no time zone", "IANA"),
        (HEAD + "[gate]\nmetric = 'mae'\n", 4, "gate", "gate without learning", ""),
        (HEAD + "description = 'NO.md'\n", 4, "description", "not in the folder", ""),
        ('title = "T"\nentry = "app:T"\n', 1, "name", "There is no name", 'Write name = "…"'),
        ('name = "Big Name"\ntitle = "T"\nentry = "app:T"\n', 1, "name", "2 to 40 lower-case", ""),
        ('name = "ab"\ntitle = "T"\n', 1, "entry", "neither entry nor command", ""),
        ('name = "ab"\ntitle = "T"\nentry = "app.py"\n', 3, "entry", "module:Class", ""),
        (HEAD + "x = \n", 4, "", "Not TOML", "toml.io"),
        (HEAD + HEAD, 4, "", "Not TOML", ""),
        ("\x00", 1, "", "Not TOML", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_its_key_and_a_cure(
    tmp_path: Path, text: str, line: int, key: str, message: str, cure: str
) -> None:
    found = problems(tmp_path, text)[0]
    assert (found.file, found.line, found.key) == ("ovd.toml", line, key)
    assert message in found.message
    assert cure in found.cure


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ("[inputs.x]\nlabel = 'X'\n", "inputs.x", "There is no kind"),
        ("[inputs.x]\nkind = 'txt'\n", "inputs.x.kind", "must be one of"),
        ("[inputs.x]\nkind = 'choice'\n", "inputs.x", "needs choices"),
        ("[inputs.x]\nkind = 'text'\nlable = 'X'\n", "inputs.x.lable", "Unknown key"),
        ("[inputs.x]\nkind = 'text'\nfile = 'x'\n", "inputs.x.file", "Unknown key"),
        ("[inputs.'x y']\nkind = 'text'\n", "inputs.x y", "is not a name"),
        ("[outputs.y]\nkind = 'image'\n", "outputs.y", "There is no file"),
    ],
)
def test_fields_of_a_command_are_checked_too(tmp_path: Path, table: str, key: str, message: str) -> None:
    head = 'name = "tried"\ntitle = "Tried"\ncommand = "true"\n[outputs.n]\nkind = "integer"\n'
    found = problems(tmp_path, head + table)[0]
    assert found.key == key
    assert message in found.message


def test_all_problems_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    found = problems(tmp_path, HEAD + "[sleep]\nafterr = 3\n[execute]\ntimeout = 'x'\nqueue = 1\n")
    assert [problem.line for problem in found] == [5, 7, 8]


def test_a_folder_without_manifest_or_lock_says_so(tmp_path: Path) -> None:
    with pytest.raises(manifest.ManifestError, match=r"There is no ovd\.toml"):
        manifest.load(tmp_path)
    with pytest.raises(manifest.ManifestError, match="Name a folder that exists"):
        manifest.load(tmp_path / "nowhere")
    (tmp_path / "ovd.toml").write_text(HEAD)
    with pytest.raises(manifest.ManifestError, match=r"lock file requirements\.lock is not in the folder"):
        manifest.load(tmp_path)


def test_a_manifest_that_is_not_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "ovd.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(manifest.ManifestError, match="Save it as UTF-8"):
        manifest.load(tmp_path)


def test_lines_are_found_over_long_texts_lists_and_quoted_keys() -> None:
    text = '''a = """
[no.table]
b = 1
"""
c = [
  "x", # ] a comment
  "y]",
]
"d e" = 1
[t.u]
f.g = 2
[[many]]
h = { i = 1 }
'''
    found = lines_of(text)
    assert {key: found[key] for key in [("a",), ("c",), ("d e",), ("t", "u"), ("t", "u", "f", "g"), ("many", "h")]} == {
        ("a",): 1,
        ("c",): 5,
        ("d e",): 9,
        ("t", "u"): 10,
        ("t", "u", "f", "g"): 11,
        ("many", "h"): 13,
    }
    assert ("b",) not in found and ("no",) not in found


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_problems(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ovd.toml").write_bytes(text.encode("utf-8", "replace"))
        with pytest.raises(manifest.ManifestError) as caught:
            manifest.load(folder)
        assert caught.value.problems
