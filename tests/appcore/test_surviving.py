"""Surviving: lost bytes, lost events, a runner that is gone, an application in disorder; others never pay for it."""

from uuid import uuid4

from django.utils import timezone

import makers
import runners
from appcore.test_living import act, fresh, lively, lives, queue
from ovd_saas.appcore.loops.building import Building
from ovd_saas.appcore.loops.living import Living
from ovd_saas.appcore.loops.watching import Watching
from ovd_saas.engines import base
from ovd_saas.store.records import Application, Process, Release
from runners import Core, until


def test_an_archive_that_is_gone_is_a_failed_start_with_its_reason(core: Core) -> None:
    application = lively(core)
    Release.objects.update(digest="sha256:" + "1" * 64)
    queue(application)
    until(lambda: core.living.tick() or fresh(application).start_failures == 1)
    assert "sha256:1111" in fresh(application).reason
    assert Process.objects.count() <= 2, "it was tried again without a pause"


def test_an_application_in_disorder_does_not_keep_others_from_living(core: Core) -> None:
    disordered = lively(core)
    act(disordered, "wake")
    until(lambda: lives(core, disordered, "awake"))
    Release.objects.update(manifest={"execute": {"timeout": "for ever"}})
    act(disordered, "sleep")
    other = lively(core, "slow")
    act(other, "wake")
    until(lambda: lives(core, other, "awake"))


def test_a_runner_that_is_gone_a_moment_ago_gets_one_call_and_then_a_pause(core: Core) -> None:
    application = lively(core)
    runner = core.watching.runner()
    core.runner.kill()
    try:
        act(application, "wake")
        assert not Living(core.runner.engine, lambda: runner).tick()
        assert Process.objects.count() == 1
        assert fresh(application).start_failures == 0
    finally:
        core.runner.start()


def test_an_event_that_could_not_be_noted_is_made_up_for(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    living = Process.objects.get()
    ghost = Process.objects.create(
        id=uuid4(), application=application, release=living.release, runner=living.runner, state="ready",
        started_at=timezone.now(),
    )  # fmt: skip
    core.watching.note_alive()
    assert Process.objects.get(pk=ghost.pk).state == "ready"
    core.watching.on_event(base.Exited("what nobody can note", 1, None, "exit", "exit code 1"))
    core.watching.note_alive()
    assert Process.objects.get(pk=ghost.pk).state == "ended"
    assert Process.objects.get(pk=living.pk).state == "ready"


def test_a_release_that_was_slow_to_build_does_not_replace_a_newer_one(core: Core) -> None:
    application = lively(core)
    older = makers.release(application, 2)
    newer = makers.release(application, 3)
    Release.objects.filter(pk=older.pk).update(state="building", digest=runners.archive("slow"))
    Application.objects.filter(pk=application.pk).update(release=newer)
    until(lambda: not Building(core.runner.engine).tick())
    older.refresh_from_db()
    assert older.state == "ready"
    assert fresh(application).release == newer


def test_an_appcore_that_died_while_starting_a_process_finds_its_address_again(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    started = Process.objects.get()
    Process.objects.update(state="starting", pid=None, address="", ready_at=None)
    successor = Watching(core.runner.engine, lambda: None)
    watch = core.runner.engine.watch(successor.on_event)
    until(lambda: Process.objects.get().state == "ready")
    watch.close()
    found = Process.objects.get()
    assert (found.pid, found.address) == (started.pid, started.address)
