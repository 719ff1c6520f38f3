"""What a template imports, settled when a release is made ready."""

from pathlib import Path
from typing import Any

import pytest

from ovd_saas.runner import preloads
from ovd_saas.runner.failures import PreparationFailed

LOCK = "numpy==2.4.6\nscikit-learn==1.9.1\n"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    packages = tmp_path / "lib/python3.11/site-packages"
    (packages / "numpy").mkdir(parents=True)
    (packages / "six.py").touch()
    (packages / "fast.cpython-311-x86_64-linux-gnu.so").touch()
    return tmp_path


def manifest(*preload: str, wake: str = "fork", command: str = "") -> dict[str, Any]:
    return {"sleep": {"wake": wake, "preload": list(preload)}, "command": command}


def test_what_the_lock_suggests_is_preloaded_if_it_is_there(environment: Path) -> None:
    assert preloads.settle(manifest("auto"), LOCK, environment) == ["numpy", "numpy.random", "numpy.ma"]


def test_named_modules_may_be_of_the_environment_or_of_python(environment: Path) -> None:
    named = ["six", "fast", "json", "numpy.fft"]
    assert preloads.settle(manifest(*named), LOCK, environment) == named


def test_a_module_that_is_not_there_is_refused_with_the_nearest_one(environment: Path) -> None:
    with pytest.raises(PreparationFailed, match=r'names "nunpy".*Did you mean "numpy"') as refused:
        preloads.settle(manifest("nunpy"), LOCK, environment)
    assert refused.value.stage == "manifest"


def test_nothing_is_preloaded_for_commands_or_for_processes_that_begin_from_nothing(environment: Path) -> None:
    assert preloads.settle(manifest("auto", command="sh run.sh"), LOCK, environment) == []
    assert preloads.settle(manifest("auto", "json", wake="spawn"), LOCK, environment) == []
