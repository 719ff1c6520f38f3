"""Processes that end in every wrong way: each is told with its reason, and nothing of them stays."""

import os
import signal
import time
from pathlib import Path

import pytest

from ovd_saas.engines.base import Exited, Prepared
from runner.conftest import puppet_folder
from runner.running import Runner, Talk, application, digest_of, is_alive, model_tar, outside, until

Puppet = tuple[str, Prepared]

UNMARKED = "import subprocess\nanswer = subprocess.Popen(['/bin/sleep', '600'], env={}, start_new_session=True).pid"
DAEMON = """
import subprocess, sys
starts = "from subprocess import *; print(Popen(['/bin/sleep', '600'], env={}, stdout=2, start_new_session=True).pid)"
answer = subprocess.run([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True).stdout
"""
CHILD = "import subprocess; answer = subprocess.Popen(['sleep', '600'], start_new_session={0}).pid"


def test_a_killed_process_is_told_within_a_second(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    began = time.monotonic()
    os.kill(started.pid or 0, signal.SIGKILL)
    exited = shared.exited(process)
    assert time.monotonic() - began < 1
    assert (exited.code, exited.signal, exited.reason) == (None, signal.SIGKILL, "signal")
    assert "killed from outside" in exited.message


def test_an_exit_is_told_with_its_code_and_last_error_line(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    Talk(started.address).begin(code="import os; os.write(2, b'first\\nno more ink\\n'); os._exit(3)")
    exited = shared.exited(process)
    assert (exited.code, exited.reason, exited.message) == (3, "exit", "exit code 3: no more ink")


def test_a_crash_is_told_by_the_name_of_its_signal(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    Talk(started.address).begin(code="import ctypes; ctypes.string_at(0)")
    assert "SIGSEGV" in shared.exited(process).message


def test_a_process_that_does_not_finish_is_killed_after_the_grace(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    talk = Talk(started.address)
    talk.begin(code="import signal, time\ntime.sleep(600)")
    talk.until("started")
    shared.engine.stop(process, 0.2)
    exited = shared.exited(process)
    assert (exited.reason, exited.signal) == ("stopped", signal.SIGKILL)
    assert "grace" in exited.message


@pytest.mark.parametrize("hides", [False, True], ids=["in its group", "in a session of its own"])
@pytest.mark.parametrize("way", ["stop", "kill"])
def test_children_of_a_process_die_with_it(shared: Runner, puppet: Puppet, way: str, hides: bool) -> None:
    process, started = shared.start(puppet)
    child = outside(started.pid, int(Talk(started.address).ask(CHILD.format(hides))))
    assert is_alive(child)
    if way == "stop":
        shared.engine.stop(process, 0)
    else:
        os.kill(started.pid or 0, signal.SIGKILL)
    shared.exited(process)
    until(lambda: not is_alive(child), "the child to die")


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_children_that_hid_their_mark_die_with_their_process(shared: Runner, puppet: Puppet, way: str) -> None:
    process, started = shared.start(puppet)
    child = outside(started.pid, int(Talk(started.address).ask(UNMARKED)))
    assert is_alive(child)
    if way == "stop":
        shared.engine.stop(process, 0)
    else:
        os.kill(started.pid or 0, signal.SIGKILL)
    shared.exited(process)
    until(lambda: not is_alive(child), "the child to die")


def test_daemons_die_with_their_process(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    talk = Talk(started.address)
    daemons = [outside(started.pid, int(talk.ask(DAEMON.format(environment)))) for environment in ("{}", "None")]
    assert all(is_alive(daemon) for daemon in daemons)
    shared.engine.stop(process, 0)
    until(lambda: not any(is_alive(daemon) for daemon in daemons), "the daemons to end with their process")


def test_a_memory_hog_is_killed_and_told_so(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet, memory_mb=128)
    Talk(started.address).begin(
        code="import time\nkept = []\nwhile True: kept.append(b'x' * 10_000_000); time.sleep(0.02)"
    )
    exited = shared.exited(process)
    assert (exited.reason, exited.message) == ("memory", "killed: reached the memory limit of 128 MB")


def test_memory_that_children_hold_counts(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet, memory_mb=128)
    hog = "import sys, time; kept = [b'x' * 50_000_000]; print(1, flush=True); time.sleep(600)"
    Talk(started.address).begin(
        code=f"import subprocess, sys, time\n"
        f"for _ in range(4): subprocess.Popen([sys.executable, '-c', {hog!r}])\ntime.sleep(600)"
    )
    assert shared.exited(process).reason == "memory"


def test_one_huge_demand_for_memory_fails_the_execution_and_not_the_process(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet, memory_mb=128)
    talk = Talk(started.address)
    assert talk.execute(code="bytearray(8 << 30)")["code"] == "memory"
    assert talk.ask("answer = 1") == "1"
    shared.engine.stop(process, 0)


def test_too_many_threads_are_stopped(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    Talk(started.address).begin(
        code="import threading\n"
        "threading.stack_size(65536)\n"
        "for _ in range(700): threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "threading.Event().wait()"
    )
    assert shared.exited(process).reason == "tasks"


def test_a_flood_of_output_stays_within_the_bound_of_the_log(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet)
    talk = Talk(started.address)
    talk.ask("import os\nfor n in range(5000): os.write(1, b'%08d ' % n + b'x' * 991 + b'\\n')")
    until(lambda: "00004999" in shared.engine.log(process, 3), "the last line")
    logs = (shared.home / "runner/logs").glob(f"{process}.log*")
    assert sum(file.stat().st_size for file in logs) <= 2 << 20
    shared.engine.stop(process, 0)


def test_a_set_up_that_fails_is_told_with_its_own_words(shared: Runner, puppet: Puppet, tmp_path: Path) -> None:
    code = (
        "from ovd import App\nclass Broken(App):\n"
        "    def setup(self, model):\n        if model: raise ValueError('this model is of another kind')\n"
        "    def execute(self, context) -> str:\n        return ''\n"
    )
    release, prepared = shared.prepare(application(tmp_path / "app", code, entry="Broken"))
    model = model_tar(weights=b"2")
    shared.engine.provide_model(digest_of(model), [model])
    shared.engine.start(process="broken", release=release, environment=prepared.environment, model=digest_of(model))
    exited = shared.exited("broken")
    assert exited.reason == "setup"
    assert "this model is of another kind" in exited.message
    assert "Traceback" in shared.engine.log("broken")


def test_processes_and_their_children_end_when_the_runner_is_killed(own: Runner, tmp_path: Path) -> None:
    prepared = own.prepare(puppet_folder(tmp_path))
    _, started = own.start(prepared)
    child = outside(started.pid, int(Talk(started.address).ask(CHILD.format(True))))
    os.kill(own.pid, signal.SIGKILL)
    until(lambda: not is_alive(started.pid), "the process to die with its runner")
    own.restart()
    until(lambda: not is_alive(child), "its child to die with it")
    assert own.engine.processes() == ()
    assert not Path(started.address).exists()
    _, again = own.start(prepared)
    assert Talk(again.address).ask("answer = 'alive'") == "alive"


def test_processes_end_themselves_when_the_runner_is_frozen_longer_than_their_lease(
    own: Runner, tmp_path: Path
) -> None:
    process, started = own.start(own.prepare(puppet_folder(tmp_path)))
    os.kill(own.pid, signal.SIGSTOP)
    until(lambda: not is_alive(started.pid), "the process to end itself")
    os.kill(own.pid, signal.SIGCONT)
    exited = own.exited(process)
    assert exited.reason == "lease"
    assert "lease" in exited.message


def test_code_that_holds_the_interpreter_longer_than_the_lease_is_told_so(own: Runner, tmp_path: Path) -> None:
    process, started = own.start(own.prepare(puppet_folder(tmp_path)))
    Talk(started.address).begin(code="import ctypes; ctypes.PyDLL(None).sleep(600)")
    exited = own.exited(process)
    assert exited.reason == "lease"
    assert "held the interpreter for longer than its lease of 1 s" in exited.message


def test_a_process_lives_on_while_its_lease_is_renewed(own: Runner, tmp_path: Path) -> None:
    """Longer than three leases of 1 s, computing without a pause."""
    process, started = own.start(own.prepare(puppet_folder(tmp_path)))
    answer = Talk(started.address).ask("import time\nend = time.time() + 3\nwhile time.time() < end: pass\nanswer = 1")
    assert answer == "1"
    assert not [event for event in own.all(Exited) if event.process == process]


def test_a_runner_that_is_asked_to_end_ends_its_processes_within_three_seconds(own: Runner, tmp_path: Path) -> None:
    prepared = own.prepare(puppet_folder(tmp_path))
    idle, busy = own.start(prepared)[1], own.start(prepared)[1]
    talk = Talk(busy.address)
    talk.begin(code="import time; time.sleep(600)")
    talk.until("started")
    began = time.monotonic()
    own.process.terminate()
    assert own.process.wait(10) == 0
    assert time.monotonic() - began < 3
    assert not is_alive(idle.pid)
    assert not is_alive(busy.pid)
    assert list(own.run.glob("*.sock")) == []
