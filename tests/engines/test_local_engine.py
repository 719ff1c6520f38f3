"""The local engine: when the runner is away, comes back, or is asked by many at once."""

import os
import signal
import threading
from pathlib import Path

import pytest

from ovd_saas.engines.base import Connected, Disconnected, Engine, Event, Exited, RunnerDown
from ovd_saas.engines.local import Local
from runner.running import PUPPET, Runner, application, until


def test_local_is_an_engine(runner: Runner) -> None:
    engine: Engine = runner.engine
    assert engine.hello().processes == ()


def test_without_a_runner_every_call_says_so(tmp_path: Path) -> None:
    engine = Local(tmp_path)
    for call in (
        engine.hello,
        engine.processes,
        lambda: engine.stop("p", 0),
        lambda: engine.log("p"),
        lambda: engine.start(process="p", release="r", environment="e"),
        lambda: engine.prepare("r", [b""], lambda _: None),
    ):
        with pytest.raises(RunnerDown, match="does not answer"):
            call()


def test_a_frozen_runner_is_down_after_a_while(runner: Runner) -> None:
    impatient = Local(runner.run, answer_seconds=0.2)
    os.kill(runner.pid, signal.SIGSTOP)
    with pytest.raises(RunnerDown, match="in time"):
        impatient.hello()
    os.kill(runner.pid, signal.SIGCONT)
    assert impatient.hello().pid == runner.pid


def test_calls_work_again_at_once_when_the_runner_is_back(runner: Runner) -> None:
    runner.engine.hello()
    os.kill(runner.pid, signal.SIGKILL)
    runner.restart()
    assert runner.engine.hello().pid == runner.pid


def test_a_release_can_be_prepared_at_once_when_the_runner_is_back(runner: Runner, tmp_path: Path) -> None:
    runner.engine.hello()
    os.kill(runner.pid, signal.SIGKILL)
    runner.restart()
    runner.prepare(application(tmp_path, PUPPET))


def test_a_subscriber_hears_of_loss_and_return_and_of_what_lives(runner: Runner, tmp_path: Path) -> None:
    prepared = runner.prepare(application(tmp_path, PUPPET))
    process, _ = runner.start(prepared)
    heard: list[Event] = []
    watch = runner.engine.watch(heard.append)
    until(lambda: heard, "the first event")
    assert isinstance(heard[0], Connected)
    assert [living.process for living in heard[0].processes] == [process]
    os.kill(runner.pid, signal.SIGKILL)
    until(lambda: len(heard) > 1, "the loss")
    assert isinstance(heard[1], Disconnected)
    runner.restart()
    until(lambda: len(heard) > 2, "the return")
    assert heard[2] == Connected((), ())
    watch.close()


def test_a_subscriber_that_comes_late_learns_how_processes_ended(runner: Runner, tmp_path: Path) -> None:
    process, started = runner.start(runner.prepare(application(tmp_path, PUPPET)))
    os.kill(started.pid, signal.SIGKILL)
    exited = runner.exited(process)
    heard: list[Event] = []
    watch = runner.engine.watch(heard.append)
    until(lambda: heard, "the first event")
    assert heard[0] == Connected((), (exited,))
    watch.close()


def test_a_subscriber_without_a_runner_is_told_once_and_can_leave(tmp_path: Path) -> None:
    heard: list[Event] = []
    watch = Local(tmp_path).watch(heard.append)
    until(lambda: heard, "the first event")
    watch.close()
    assert [type(event) for event in heard] == [Disconnected]


def test_a_subscriber_that_fails_still_gets_what_follows(runner: Runner, tmp_path: Path) -> None:
    heard: list[Event] = []

    def fail_first(event: Event) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise RuntimeError("the subscriber has a bug")

    watch = runner.engine.watch(fail_first)
    process, _ = runner.start(runner.prepare(application(tmp_path, PUPPET)))
    runner.engine.stop(process, 0)
    until(lambda: [event for event in heard if isinstance(event, Exited)], "the later event")
    watch.close()


def test_many_threads_may_call_at_once(runner: Runner) -> None:
    pids: list[int] = []

    def call() -> None:
        for _ in range(20):
            pids.append(runner.engine.hello().pid)

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pids == [runner.pid] * 240


def test_an_archive_in_large_pieces_arrives_whole(runner: Runner, tmp_path: Path) -> None:
    folder = application(tmp_path, PUPPET)
    (folder / "weights.bin").write_bytes(os.urandom(5 << 20))
    release, _ = runner.prepare(folder)
    arrived = runner.home / "runner/releases" / release / "source/weights.bin"
    assert arrived.read_bytes() == (folder / "weights.bin").read_bytes()
