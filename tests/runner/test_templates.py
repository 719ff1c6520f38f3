"""Templates: imported once, forked often, gone when memory asks for it, and believed only as far as can be checked."""

import asyncio
import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ovd_saas.engines.base import Exited, Prepared, Template
from ovd_saas.runner import sandbox, templates
from runner.conftest import puppet_folder
from runner.running import Runner, Talk, is_alive, until

Puppet = tuple[str, Prepared]


def how(runner: Runner, process: str) -> str:
    return runner.ready(process).how


def kept(runner: Runner, preload: tuple[str, ...]) -> Template:
    """The template of these libraries, once it can fork."""
    return until(
        lambda: next((one for one in runner.engine.hello().templates if one.preload == preload), None),
        f"a template of {preload}",
    )


def test_the_first_process_has_a_template_built_and_the_next_ones_are_forked(shared: Runner, puppet: Puppet) -> None:
    first, second = (shared.start(puppet, preload=["colorsys"])[0] for _ in range(2))
    assert (how(shared, first), how(shared, second)) == ("template", "fork")
    assert kept(shared, ("colorsys",)).children == 2
    for process in (first, second):
        shared.engine.stop(process, 0)
    until(lambda: kept(shared, ("colorsys",)).children == 0, "both to be forgotten")


def test_the_template_of_a_release_is_there_since_its_samples_ran(shared: Runner, puppet: Puppet) -> None:
    process, _ = shared.start(puppet, preload=puppet[1].manifest["sleep"]["preload"])
    assert how(shared, process) == "fork"
    shared.engine.stop(process, 0)


def test_a_process_finds_the_libraries_imported_and_nothing_of_another_application(
    shared: Runner, puppet: Puppet
) -> None:
    process, started = shared.start(puppet, preload=["colorsys"])
    talk = Talk(started.address)
    assert talk.ask("import sys; answer = 'colorsys' in sys.modules, 'wave' in sys.modules") == "(True, False)"
    assert talk.ask("import sys; answer = [m for m in sys.modules.values() if 'warming' in str(m)]") == "[]"
    assert talk.ask("import sys; answer = [entry for entry in sys.path if 'warming' in entry]") == "[]"
    shared.engine.stop(process, 0)


def test_one_that_wants_to_be_spawned_begins_from_nothing_and_leaves_no_template(
    shared: Runner, puppet: Puppet
) -> None:
    process, started = shared.start(puppet, preload=["wave"], fork=False)
    assert how(shared, process) == "spawn"
    assert Talk(started.address).ask("import sys; answer = 'wave' in sys.modules") == "False"
    assert all("wave" not in one.preload for one in shared.engine.hello().templates)
    shared.engine.stop(process, 0)


def test_a_library_that_cannot_be_imported_costs_its_applications_the_import_alone(
    shared: Runner, puppet: Puppet
) -> None:
    process, started = shared.start(puppet, preload=["there_is_no_such_module", "chunk"])
    assert Talk(started.address).ask("import sys; answer = 'chunk' in sys.modules") == "True"
    told = (shared.home / "runner/logs/templates.log").read_text()
    assert "could not import there_is_no_such_module: ModuleNotFoundError" in told
    shared.engine.stop(process, 0)


def test_a_template_that_is_killed_takes_nobody_with_it_and_is_built_again(shared: Runner, puppet: Puppet) -> None:
    process, started = shared.start(puppet, preload=["sndhdr"])
    pid = kept(shared, ("sndhdr",)).pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), "the template to die")
    assert Talk(started.address).ask("answer = 'alive'") == "alive"
    again, _ = shared.start(puppet, preload=["sndhdr"])
    assert how(shared, again) == "template"
    assert kept(shared, ("sndhdr",)).pid != pid
    for one in (process, again):
        shared.engine.stop(one, 0)


def test_many_at_once_share_one_template(own: Runner, tmp_path: Path) -> None:
    prepared = own.prepare(puppet_folder(tmp_path))
    with ThreadPoolExecutor(20) as pool:
        started = [pool.submit(own.start, prepared, preload=["colorsys"]) for _ in range(20)]
        addresses = {one.result()[1].address for one in started}
    assert len(addresses) == 20
    assert len([one for one in own.engine.hello().templates if one.preload == ("colorsys",)]) == 1


def test_beyond_the_budget_templates_go_and_what_they_forked_lives_on(tmp_path: Path) -> None:
    runner = Runner(OVD_TEMPLATES_MB="1")
    try:
        process, started = runner.start(runner.prepare(puppet_folder(tmp_path)))
        until(lambda: runner.engine.hello().templates == (), "the template to give its memory back")
        assert Talk(started.address).ask("answer = 'alive'") == "alive"
        assert not [event for event in runner.all(Exited) if event.process == process]
    finally:
        runner.close()


def test_one_that_is_stopped_before_its_template_is_warm_never_begins(shared: Runner, puppet: Puppet) -> None:
    slow = [f"encodings.{name}" for name in ("big5", "cp037", "gbk")] + ["turtledemo.clock", "pydoc_data.topics"]
    shared.engine.start(process="hesitant", release=puppet[0], environment=puppet[1].environment, preload=slow)
    shared.engine.stop("hesitant", 0)
    assert shared.exited("hesitant").reason == "stopped"


WISH = templates.Wish(
    environment="sha256:0", python=Path("/usr/bin/python3"), preload=(), fork=True, check=False, options={},
    variables={}, folder="/", limits=sandbox.Limits(), readable=(), writable=(), devices=(),
)  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "born", "order": 1, "pid": os.getppid()},
        {"type": "born", "order": 1, "pid": 1},
        {"type": "born", "order": 1, "pid": -1},
        {"type": "born", "order": 1, "pid": "7"},
        {"type": "born", "order": 1, "pid": True},
        {"type": "born", "order": 1, "pid": 2**70},
        ["born"],
        "no answer",
        None,
    ],
    ids=str,
)
async def test_a_template_that_lies_gets_no_process_accepted(answer: Any) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    template = templates.Template(templates.Kind("sha256:0", ()), None, ours)
    with theirs:
        asked = asyncio.ensure_future(template.fork(WISH, 1, 2))
        order = await asyncio.get_running_loop().run_in_executor(None, theirs.recv, 1 << 17)
        assert json.loads(order)["order"] == 1
        theirs.send(json.dumps(answer).encode() if answer is not None else b"\xff")
        with pytest.raises(templates.TemplateDied):
            await asked
    template.close("The test is over.")


async def test_a_template_that_hangs_up_is_noticed_at_once() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    template = templates.Template(templates.Kind("sha256:0", ()), None, ours)
    asked = asyncio.ensure_future(template.fork(WISH, 1, 2))
    await asyncio.sleep(0)
    theirs.close()
    with pytest.raises(templates.TemplateDied, match="hung up"):
        await asked
