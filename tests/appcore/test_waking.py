"""Waking: who waits for a sleeping application is heard at once, and all of its wake is written, or nothing is."""

import threading
from datetime import timedelta
from uuid import uuid4

from django.db import connections
from django.utils import timezone

from appcore.test_living import act, fresh, lively, lives, queue
from ovd_saas.appcore.loops.waking import Waking
from ovd_saas.domain import processes as states
from ovd_saas.store.records import Application, Execution, Process, Runner, Transition
from runners import Core, until


def supplied(core: Core, name: str = "echo") -> Application:
    """Asleep, and the machine has all that it needs."""
    application = lively(core, name)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    act(application, "sleep")
    until(lambda: lives(core, application, "asleep"))
    return fresh(application)


def waking(core: Core) -> Waking:
    return Waking(core.runner.engine, core.watching.runner)


def hear(waking: Waking, application: Application) -> None:
    waking.hear({"about": "queue", "application": application.pk})
    waking.tick()


def alive() -> list[Process]:
    return list(Process.objects.exclude(state="ended"))


def test_one_tick_wakes_it_with_a_process_that_has_an_address(core: Core) -> None:
    application = supplied(core)
    execution = queue(application)
    hear(waking(core), application)
    [process] = alive()
    assert fresh(application).service == "waking"
    assert process.address and process.memory_mb and process.state in ("starting", "ready")
    wake = Transition.objects.filter(application=application, event="wake").latest("id")
    assert (wake.target, wake.cause, wake.reason) == ("waking", f"execution:{execution.pk}", "1 execution waits.")
    until(lambda: lives(core, application, "awake"))


def test_it_wakes_for_whom_waits_in_the_memory_of_a_server(core: Core) -> None:
    application = supplied(core)
    waker, execution = waking(core), str(uuid4())
    waker.hear({"about": "wanted", "application": application.pk, "execution": execution})
    waker.hear({"about": "wanted", "application": application.pk, "execution": str(uuid4())})
    waker.tick()
    [_] = alive()
    wake = Transition.objects.filter(application=application, event="wake").latest("id")
    assert (wake.target, wake.cause, wake.reason) == ("waking", f"execution:{execution}", "1 execution waits.")
    until(lambda: lives(core, application, "awake"))


def test_nobody_is_woken_for_longer_than_somebody_wants(core: Core) -> None:
    application = supplied(core)
    waker = waking(core)
    waker.hear({"about": "wanted", "application": application.pk, "execution": str(uuid4())})
    act(application, "suspend")
    waker.tick()
    act(application, "enable")
    waker.tick()
    assert alive() == [] and fresh(application).service == "asleep"


def test_a_wake_says_how_its_process_was_born(core: Core) -> None:
    application = supplied(core)
    queue(application)
    hear(waking(core), application)
    until(lambda: lives(core, application, "awake"))
    [process] = alive()
    said = Transition.objects.filter(application=application, event="ready").latest("id").reason
    assert process.how and process.ready_seconds
    assert said == states.why_ready(process.how, process.ready_seconds) != "A process is ready."


def test_waking_and_living_at_once_wake_it_once(core: Core) -> None:
    application = supplied(core)
    before = Process.objects.count()
    for _ in range(3):
        queue(application)
        wakers = [waking(core) for _ in range(3)]

        def wake(waker: Waking) -> None:
            try:
                hear(waker, application)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=wake, args=[waker]) for waker in wakers]
        for thread in threads:
            thread.start()
        core.living.tick()
        for thread in threads:
            thread.join()
        assert len(alive()) == 1
        until(lambda: len(core.runner.engine.processes()) == 1)
        until(lambda: lives(core, application, "awake"))
        Execution.objects.filter(status="queued").delete()
        act(application, "sleep")
        until(lambda: lives(core, application, "asleep"))
    assert Process.objects.count() == before + 3


def test_what_may_not_wake_is_left_alone(core: Core) -> None:
    application = supplied(core)
    queue(application)
    for changed in (
        {"status": "suspended"},
        {"health": "faulty", "retry_at": timezone.now() + timedelta(hours=1)},
        {"retry_at": timezone.now() + timedelta(hours=1)},
        {"service": "draining"},
    ):
        Application.objects.filter(pk=application.pk).update(**changed)
        hear(waking(core), application)
        assert not alive(), changed
        Application.objects.filter(pk=application.pk).update(
            status="enabled", health="healthy", service="asleep", retry_at=None
        )
    nobody = Waking(core.runner.engine, lambda: None)
    hear(nobody, application)
    assert not alive()


def test_without_memory_for_it_nothing_is_started(core: Core) -> None:
    application = supplied(core)
    queue(application)
    runner = core.watching.runner()
    assert runner is not None
    runner.facts = {**runner.facts, "applications_mb": 1}
    tight = Waking(core.runner.engine, lambda: runner)
    hear(tight, application)
    assert not alive() and not core.runner.engine.processes()
    assert fresh(application).service == "asleep"


def test_a_process_that_was_begun_by_who_died_before_writing_it_down_is_ended(core: Core) -> None:
    application = supplied(core)
    release = application.release
    assert release is not None and Runner.objects.exists()
    core.runner.engine.start(process=str(uuid4()), release=release.digest, environment=release.environment)
    core.watching.note_alive()
    assert len(core.runner.engine.processes()) == 1, "it may be one whose row is about to be written"
    core.watching.note_alive()
    until(lambda: not core.runner.engine.processes())
