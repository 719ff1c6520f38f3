"""What AppCore's tests start: a runner, and the loops that live on it."""

from collections.abc import Iterator

import pytest

import runners
from ovd_saas.appcore.loops.building import Building
from ovd_saas.appcore.loops.living import Living
from ovd_saas.appcore.loops.watching import Watching
from runners import Core


@pytest.fixture(scope="session")
def session_runner() -> Iterator[runners.TestRunner]:
    runner = runners.TestRunner()
    runner.start()
    yield runner
    runner.stop()


@pytest.fixture
def core(session_runner: runners.TestRunner, transactional_db: None) -> Iterator[Core]:
    watching = Watching(session_runner.engine, lambda: None)
    watch = session_runner.engine.watch(watching.on_event)
    runners.until(watching.runner)
    yield Core(
        session_runner,
        watching,
        Living(session_runner.engine, watching.runner),
        Building(session_runner.engine),
    )
    watch.close()
    for process in session_runner.engine.processes():
        session_runner.engine.stop(process.process, 0)
    runners.until(lambda: not session_runner.engine.processes())
