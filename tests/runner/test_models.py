"""Models at the runner: brought once, unpacked safely, kept read-only, and given up when unused for longest."""

import io
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovd_saas.engines.base import CallRefused, NoModel, Prepared
from runner.conftest import puppet_folder
from runner.running import Runner, Talk, digest_of, model_tar

Puppet = tuple[str, Prepared]


def kept(runner: Runner) -> list[str]:
    """The names of the folders that are there."""
    return sorted(path.name for path in (runner.home / "runner/models").iterdir())


def named(*digests: str) -> list[str]:
    return sorted(digest.replace(":", "-") for digest in digests)


def test_a_process_gets_the_folder_of_its_model(shared: Runner, puppet: Puppet) -> None:
    model = model_tar(weights=b"one", labels=b"a b")
    with pytest.raises(NoModel):
        shared.start(puppet, model=digest_of(model))
    shared.engine.provide_model(digest_of(model), [model[:700], model[700:]])
    process, started = shared.start(puppet, model=digest_of(model))
    talk = Talk(started.address)
    assert talk.ask("answer = sorted((f.name, f.read_bytes()) for f in app.model.iterdir())") == str(
        [("labels", b"a b"), ("weights", b"one")]
    )
    (living,) = [living for living in shared.engine.processes() if living.process == process]
    assert (living.model, living.task) == (digest_of(model), False)
    talk.close()
    shared.engine.stop(process, 0)


def test_a_model_is_read_only(shared: Runner) -> None:
    model = model_tar(weights=b"two")
    shared.engine.provide_model(digest_of(model), [model])
    folder = shared.home / "runner/models" / digest_of(model).replace(":", "-")
    assert folder.stat().st_mode & 0o777 == 0o555
    assert (folder / "weights").stat().st_mode & 0o777 == 0o444


def test_a_model_that_was_brought_already_is_welcome_again(shared: Runner) -> None:
    model = model_tar(weights=b"three")
    for _ in range(2):
        shared.engine.provide_model(digest_of(model), [model])
    assert kept(shared).count(digest_of(model).replace(":", "-")) == 1


def test_bytes_of_another_digest_are_refused_and_leave_nothing(shared: Runner, puppet: Puppet) -> None:
    announced, sent = model_tar(weights=b"announced"), model_tar(weights=b"sent")
    before = kept(shared)
    with pytest.raises(CallRefused, match="has the digest") as refused:
        shared.engine.provide_model(digest_of(announced), [sent])
    assert refused.value.code == "bad_model"
    assert kept(shared) == before
    with pytest.raises(NoModel):
        shared.start(puppet, model=digest_of(announced))


def escaping() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../outside"))
    return data.getvalue()


@pytest.mark.parametrize("broken", [b"no tar at all", model_tar(weights=b"x" * 9000)[:2000], escaping()])
def test_a_tar_that_is_broken_or_hostile_is_refused(shared: Runner, broken: bytes) -> None:
    before = kept(shared)
    with pytest.raises(CallRefused) as refused:
        shared.engine.provide_model(digest_of(broken), [broken])
    assert refused.value.code == "bad_model"
    assert kept(shared) == before
    assert not list((shared.home / "runner/uploads").iterdir())


def test_a_model_outlives_its_runner(own: Runner) -> None:
    model = model_tar(weights=b"four")
    own.engine.provide_model(digest_of(model), [model])
    own.process.terminate()
    own.restart()
    assert kept(own) == [digest_of(model).replace(":", "-")]


def test_a_process_has_the_time_to_start_that_it_was_given(shared: Runner, puppet: Puppet) -> None:
    release, found = puppet
    shared.engine.start(process="hurried", release=release, environment=found.environment, start_seconds=0.001)
    assert shared.exited("hurried").reason == "slow_start"


@pytest.fixture
def narrow() -> Iterator[Runner]:
    """A runner with room for 1 MB of models."""
    runner = Runner(OVD_MODELS_MB="1")
    yield runner
    runner.close()


def provided(runner: Runner, *, kilobytes: int = 400) -> str:
    """The digest of a new model of that size, brought to the runner."""
    model = model_tar(weights=secrets.token_bytes(kilobytes * 1024))
    runner.engine.provide_model(digest_of(model), [model])
    return digest_of(model)


def test_beyond_the_bound_the_one_unused_for_longest_goes_never_one_in_use(narrow: Runner, tmp_path: Path) -> None:
    prepared = narrow.prepare(puppet_folder(tmp_path))
    first = provided(narrow)
    process, _ = narrow.start(prepared, model=first)
    second = provided(narrow)
    third = provided(narrow)
    assert kept(narrow) == named(first, third)
    narrow.engine.stop(process, 0)
    narrow.exited(process)
    narrow.start(prepared, model=third)
    fourth = provided(narrow)
    assert kept(narrow) == named(third, fourth)
    with pytest.raises(NoModel):
        narrow.start(prepared, model=second)


def test_a_model_larger_than_the_bound_is_kept_alone(narrow: Runner) -> None:
    provided(narrow)
    large = provided(narrow, kilobytes=3000)
    assert kept(narrow) == named(large)


def test_half_a_model_of_a_dead_runner_is_removed_and_the_others_still_count(narrow: Runner) -> None:
    first, second = provided(narrow), provided(narrow)
    (narrow.home / "runner/models/.building-dead").mkdir()
    narrow.process.kill()
    narrow.restart()
    assert kept(narrow) == named(first, second)
    third = provided(narrow)
    assert kept(narrow) == named(second, third)
