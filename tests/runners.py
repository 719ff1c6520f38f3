"""A runner of our own for tests, in the data folder of settings_test; and archives of test applications."""

import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

import makers
from ovd_saas.appcore.loops.building import Building
from ovd_saas.appcore.loops.living import Living
from ovd_saas.appcore.loops.watching import Watching
from ovd_saas.engines.base import EngineError
from ovd_saas.engines.local import Local
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, ModelVersion

APPS = Path(__file__).parent / "apps"


def until(is_so: Callable[[], object], within_seconds: float = 20.0) -> None:
    """Wait for a condition; AssertionError when it does not come true."""
    deadline = time.monotonic() + within_seconds
    while not is_so():
        assert time.monotonic() < deadline, f"did not happen within {within_seconds:g} s"
        time.sleep(0.01)


def archive(name: str) -> str:
    """The digest of a test application's tar.gz in the file store."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted((APPS / name).rglob("*")):
            if "__pycache__" not in path.parts and path.is_file():
                tar.add(path, str(path.relative_to(APPS / name)))
    return files.put(buffer.getvalue())


def model(application: Application, number: int, **texts: str) -> ModelVersion:
    """A candidate whose files have these texts; its tar is in the file store, its parent is what is live."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in sorted(texts.items()):
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    digest = files.put(buffer.getvalue())
    live = Application.objects.values_list("model", flat=True).get(pk=application.pk)
    return makers.model_version(application, number, digest=digest, parent_id=live)


@dataclass
class TestRunner:
    """A real runner process that can be killed and started again."""

    __test__ = False
    engine: Local = field(default_factory=lambda: Local(settings.RUN))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, "OVD_HOME": str(settings.HOME), "OVD_RUN": str(settings.RUN)}
        self.process = subprocess.Popen([sys.executable, "-m", "ovd_saas.runner"], env=environment)
        until(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.engine.hello())
        except EngineError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
        self.engine.close()


@dataclass
class Core:
    """The parts of AppCore that the tests tick by hand."""

    runner: TestRunner
    watching: Watching
    living: Living
    building: Building
