"""Processes that start, serve, and stop when they are asked to."""

import stat
from pathlib import Path

import pytest

from ovd_saas.engines.base import CallRefused, NotPrepared, Prepared, StartFailed
from runner.running import APPS, Runner, Talk, archive, is_alive, until

Puppet = tuple[str, Prepared]


def test_echo_starts_answers_over_its_socket_and_stops(shared: Runner) -> None:
    process, started = shared.start(shared.prepare(APPS / "echo"))
    talk = Talk(started.address)
    assert talk.execute(message="hello")["outputs"] == {"result": "hello"}
    talk.close()
    shared.engine.stop(process, 10)
    assert shared.exited(process).reason == "stopped"
    assert not is_alive(started.pid)
    assert not Path(started.address).exists()


def test_several_connections_are_served(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    talks = [Talk(started.address) for _ in range(5)]
    assert [talk.ask(f"answer = {number}") for number, talk in enumerate(talks)] == list("01234")
    for talk in talks:
        talk.close()
    shared.engine.stop(process, 0)
    shared.exited(process)


def test_the_same_id_twice_starts_one_process(shared: Runner, puppet: Puppet) -> None:
    release, prepared = puppet
    first = shared.engine.start(process="twice", release=release, environment=prepared.environment)
    second = shared.engine.start(process="twice", release=release, environment=prepared.environment)
    assert first == second
    assert [living.process for living in shared.engine.processes()].count("twice") == 1
    shared.engine.stop("twice", 0)
    shared.exited("twice")


def test_an_id_that_lived_is_not_started_again(shared: Runner, puppet: Puppet) -> None:
    process, _ = shared.start(puppet)
    shared.engine.stop(process, 0)
    shared.exited(process)
    with pytest.raises(StartFailed, match="lived and ended") as failed:
        shared.engine.start(process=process, release=puppet[0], environment=puppet[1].environment)
    assert failed.value.code == "ended"


def test_stopping_what_does_not_live_changes_nothing(shared: Runner, puppet: Puppet) -> None:
    process, _ = shared.start(puppet)
    shared.engine.stop("never-there", 0)
    shared.engine.stop(process, 0)
    shared.exited(process)
    shared.engine.stop(process, 0)


def test_a_process_finishes_what_it_does_before_it_stops(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    talk = Talk(started.address)
    talk.begin(code="import time; time.sleep(2); answer = 'done'")
    talk.until("started")
    shared.engine.stop(process, 20)
    until(
        lambda: [
            living for living in shared.engine.processes() if (living.process, living.state) == (process, "stopping")
        ],
        "the process to be stopping",
    )
    assert talk.until("result")["outputs"] == {"result": "done"}
    talk.close()
    assert shared.exited(process).message == "stopped as asked"


def test_what_lives_is_listed_with_state_and_memory(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    (listed,) = [living for living in shared.engine.hello().processes if living.process == process]
    assert (listed.pid, listed.address, listed.release) == (started.pid, started.address, puppet[0])
    assert listed.state == "ready"
    Talk(started.address).ask("app.kept = bytearray(b'1') * (9 << 20)")
    until(lambda: [one for one in shared.engine.processes() if one.process == process and one.rss_mb > 9], "its memory")
    shared.engine.stop(process, 0)
    shared.exited(process)
    assert process not in [living.process for living in shared.engine.processes()]


def test_a_release_that_was_never_prepared_cannot_start(shared: Runner, puppet: Puppet) -> None:
    with pytest.raises(NotPrepared):
        shared.engine.start(process="p", release="unknown", environment=puppet[1].environment)
    with pytest.raises(NotPrepared):
        shared.engine.start(process="p", release=puppet[0], environment="unknown")


def test_what_a_process_prints_is_in_its_log_also_when_it_is_gone(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    talk = Talk(started.address)
    talk.ask("import os; os.write(2, b'a line of its own\\n')")
    talk.close()
    until(lambda: "a line of its own" in shared.engine.log(process), "the line to be in the log")
    shared.engine.stop(process, 0)
    shared.exited(process)
    assert "a line of its own" in shared.engine.log(process)
    with pytest.raises(CallRefused):
        shared.engine.log("never-there")


def test_sockets_are_for_the_owner_only(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    for path in (Path(started.address), shared.run / "runner.sock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.run.stat().st_mode) == 0o700
    shared.engine.stop(process, 0)


def test_a_release_prepared_already_answers_at_once(shared: Runner, puppet: Puppet) -> None:
    said: list[str] = []
    assert shared.engine.prepare(puppet[0], [archive(APPS / "echo")], said.append) == puppet[1]
    assert said == ["The release is prepared already."]
