"""Releases made ready, and what is said about those that cannot be."""

import os
import signal
import threading
from pathlib import Path

import pytest

from ovd_saas.engines.base import CallRefused, NotPrepared, Prepared, PrepareFailed
from runner.running import APPS, PUPPET, Runner, Talk, application, archive, children, is_alive, until

SIX = """six==1.17.0 \\
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \\
    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
"""
SAMPLE = '{"title": "t", "credit": "c", "licence": "CC0-1.0", "inputs": {"code": %s}, "expect": {"result": "1"}}'


def refusal(runner: Runner, folder: Path) -> PrepareFailed:
    with pytest.raises(PrepareFailed) as failed:
        runner.prepare(folder)
    return failed.value


def leftovers(runner: Runner) -> list[str]:
    home = runner.home / "runner"
    places = ("releases", "environments", "uploads", "scratch")
    return [str(path) for place in places for path in (home / place).glob("*") if path.name.startswith(".")]


def test_a_prepared_release_comes_with_schema_manifest_and_samples(shared: Runner) -> None:
    shared.log.clear()
    _, prepared = shared.prepare(APPS / "echo")
    assert prepared.manifest["name"] == "echo"
    assert prepared.manifest["execute"]["timeout"] == 10
    assert "message" in prepared.schema["inputs"]["properties"]
    assert [sample["status"] for sample in prepared.samples] == ["passed"]
    assert any("Sample greeting passed" in line for line in shared.log)


def test_releases_with_one_lock_share_an_environment(shared: Runner, puppet: tuple[str, Prepared]) -> None:
    _, echo = shared.prepare(APPS / "echo")
    assert echo.environment == puppet[1].environment
    assert any("is there already" in line for line in shared.log)


def test_a_package_of_the_lock_is_installed_and_can_be_imported(shared: Runner, tmp_path: Path) -> None:
    shared.log.clear()
    prepared = shared.prepare(application(tmp_path, PUPPET, lock=SIX))
    assert any("six==1.17.0" in line for line in shared.log)
    process, started = shared.start(prepared)
    assert Talk(started.address).ask("import six; answer = six.__version__") == "1.17.0"
    shared.engine.stop(process, 0)


def test_two_builds_of_one_environment_are_one(own: Runner, tmp_path: Path) -> None:
    folders = [application(tmp_path / name, PUPPET, name=name) for name in ("first", "second")]
    threads = [threading.Thread(target=own.prepare, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list((own.home / "runner/environments").iterdir())) == 1
    assert len(list((own.home / "runner/releases").iterdir())) == 2


def test_a_package_that_does_not_exist_fails_with_what_uv_said(shared: Runner, tmp_path: Path) -> None:
    lock = f"ovd-no-such-package-here==9.9.9 --hash=sha256:{'0' * 64}\n"
    failed = refusal(shared, application(tmp_path, PUPPET, lock=lock))
    assert failed.stage == "environment"
    assert "ovd-no-such-package-here" in failed.message
    assert leftovers(shared) == []


def test_a_wrong_hash_is_refused(shared: Runner, tmp_path: Path) -> None:
    failed = refusal(shared, application(tmp_path, PUPPET, lock=f"six==1.16.0 --hash=sha256:{'0' * 64}\n"))
    assert failed.stage == "environment"
    assert "hash" in failed.message.lower()


def test_a_lock_that_names_an_index_is_refused(shared: Runner, tmp_path: Path) -> None:
    failed = refusal(shared, application(tmp_path, PUPPET, lock="--index-url https://example.org\n" + SIX))
    assert failed.stage == "environment"
    assert "the machine knows the index" in failed.message


def test_a_python_that_the_machine_lacks_is_named(shared: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path, PUPPET)
    with (folder / "ovd.toml").open("a") as manifest:
        manifest.write('[environment]\npython = ">=3.99"\n')
    failed = refusal(shared, folder)
    assert failed.stage == "environment"
    assert "3.99" in failed.message


def test_a_broken_manifest_names_line_and_cure(shared: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path, PUPPET)
    with (folder / "ovd.toml").open("a") as manifest:
        manifest.write("memory_mbb = 5\n")
    failed = refusal(shared, folder)
    assert failed.stage == "manifest"
    assert "ovd.toml:" in failed.message
    assert "memory_mbb" in failed.message


def test_no_manifest_no_release(shared: Runner, tmp_path: Path) -> None:
    (tmp_path / "readme").write_text("nothing else")
    assert refusal(shared, tmp_path).stage == "manifest"


def test_an_import_that_fails_is_told_with_its_error(shared: Runner, tmp_path: Path) -> None:
    failed = refusal(shared, application(tmp_path, "import no_such_library\n" + PUPPET))
    assert failed.stage == "import"
    assert "no_such_library" in failed.message
    assert leftovers(shared) == []


def test_an_import_that_ends_the_process_is_told(shared: Runner, tmp_path: Path) -> None:
    failed = refusal(shared, application(tmp_path, "import os\nos._exit(7)\n"))
    assert failed.stage == "import"
    assert "exit code 7" in failed.message


def test_an_import_that_takes_too_much_memory_is_told(shared: Runner, tmp_path: Path) -> None:
    hog = "import time\nkept = []\nwhile True:\n    kept.append(b'x' * 10_000_000)\n    time.sleep(0.01)\n"
    failed = refusal(shared, application(tmp_path, hog, memory_mb=128))
    assert failed.stage == "import"
    assert "memory limit of 128 MB" in failed.message


def test_a_sample_that_fails_is_told_by_name(shared: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path, PUPPET)
    (folder / "samples").mkdir()
    (folder / "samples" / "good.json").write_text(SAMPLE % '"answer = 1"')
    (folder / "samples" / "wrong.json").write_text(SAMPLE % '"answer = 2"')
    shared.log.clear()
    failed = refusal(shared, folder)
    assert failed.stage == "samples"
    assert "wrong" in failed.message
    assert any("Sample good passed" in line for line in shared.log)


def test_a_release_that_no_answer_can_hold_is_told_and_not_waited_for(shared: Runner, tmp_path: Path) -> None:
    endless = (
        "from ovd import App, Context, integer\n\n\nclass Puppet(App):\n"
        "    def execute(self, context: Context, x: int = integer(label='x' * (17 << 20))) -> int:\n"
        "        return x\n"
    )
    with pytest.raises(CallRefused, match="a frame holds at most"):
        shared.prepare(application(tmp_path, endless))


def test_a_hostile_archive_is_refused_at_unpacking(shared: Runner, tmp_path: Path) -> None:
    (application(tmp_path, PUPPET) / "link").symlink_to("/etc/passwd")
    failed = refusal(shared, tmp_path)
    assert failed.stage == "unpack"
    assert "is a link" in failed.message


def test_what_is_no_archive_is_refused_at_unpacking(shared: Runner) -> None:
    with pytest.raises(PrepareFailed) as failed:
        shared.engine.prepare("not-an-archive", [b"hello"], lambda _: None)
    assert failed.value.stage == "unpack"


def test_the_code_of_a_release_is_read_only(shared: Runner, puppet: tuple[str, Prepared]) -> None:
    source = shared.home / "runner/releases" / puppet[0] / "source"
    assert {path.stat().st_mode & 0o222 for path in [source, *source.rglob("*")]} == {0}


def test_a_package_that_is_built_from_source_is_refused_with_the_cure(shared: Runner, tmp_path: Path) -> None:
    lock = "docopt==0.6.2 --hash=sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491\n"
    with pytest.raises(PrepareFailed, match="would run its own code") as caught:
        shared.prepare(application(tmp_path, PUPPET, lock=lock))
    assert caught.value.stage == "environment"
    assert "OVD_SOURCE_PACKAGES" in caught.value.message


def test_an_interrupted_build_leaves_nothing_after_the_next_start(own: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path / "app", "import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    threading.Thread(target=_prepare_in_vain, args=(own, folder), daemon=True).start()
    until(lambda: "begun" in "".join(own.log), "the import to begin")
    born = children(own.pid)
    (own.home / "runner/environments/.building-half").mkdir()
    assert leftovers(own)
    os.kill(own.pid, signal.SIGKILL)
    until(lambda: not any(map(is_alive, born)), "the import to die with the runner")
    own.restart()
    assert leftovers(own) == []
    assert list((own.home / "runner/uploads").iterdir()) == []


def test_a_release_whose_environment_was_removed_is_prepared_anew(own: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path, PUPPET)
    release, first = own.prepare(folder)
    (built,) = (own.home / "runner/environments").iterdir()
    built.rename(own.home / "gone")
    assert own.prepare(folder, release)[1].environment == first.environment
    own.start((release, first))


def _prepare_in_vain(runner: Runner, folder: Path) -> None:
    try:
        runner.engine.prepare("interrupted", [archive(folder)], runner.log.append)
    except Exception:
        return  # the runner is killed meanwhile: any error will do


def test_the_samples_of_a_prepared_release_are_run_again(shared: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path, PUPPET)
    (folder / "samples").mkdir(exist_ok=True)
    (folder / "samples" / "one.json").write_text('{"title": "One", "inputs": {"code": "answer = 1"}}')
    digest, prepared = shared.prepare(folder)
    assert prepared.python.startswith("3.")
    assert prepared.environment_mb > 0
    said: list[str] = []
    checked = shared.engine.check(digest, said.append)
    assert [(one["name"], one["status"]) for one in checked.samples] == [("one", "passed")]
    assert checked.error == ""
    assert "Sample one passed" in said


def test_a_release_that_is_not_there_is_not_checked(shared: Runner) -> None:
    with pytest.raises(NotPrepared):
        shared.engine.check("sha256:" + "0" * 64, lambda text: None)
