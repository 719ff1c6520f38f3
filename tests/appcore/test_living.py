"""Living: with a real runner and real processes, an application wakes, swaps, sleeps, and survives losses."""

import json
import os
import signal
from datetime import timedelta
from typing import Any

import psycopg
from django.utils import timezone

import makers
import runners
from ovd_saas.appcore import applications, executions, processes, releases
from ovd_saas.store import claims
from ovd_saas.store.records import Application, Execution, Process, Release
from runners import Core, until


def pushed(name: str = "echo", core: Core | None = None) -> Release:
    """A release of a test application, built when `core` is given."""
    digest = runners.archive(name)
    release = releases.submit(
        organisation=makers.organisation(), name=None, digest=digest, size=1, by="user:ana",
        by_id=makers.user().pk, now=timezone.now(),
    )  # fmt: skip
    if core is not None:
        until(lambda: not core.building.tick())
    release.refresh_from_db()
    return release


def lively(core: Core, name: str = "echo", **manifest: Any) -> Application:
    release = pushed(name, core)
    assert release.state == "ready", release.error
    release.manifest = {**release.manifest, **manifest}
    release.save()
    return fresh(release.application)


def fresh(application: Application) -> Application:
    return Application.objects.select_related("organisation", "release").get(pk=application.pk)


def queue(application: Application) -> Execution:
    return executions.submit(
        application=fresh(application), inputs={"message": 1}, seed=1, deadline_at=None, caller="user:1", by_id=None,
        cause={"kind": "api"}, idempotency_key=None, request_digest="", now=timezone.now(),
    )[0]  # fmt: skip


def lives(core: Core, application: Application, service: str) -> bool:
    core.living.tick()
    return fresh(application).service == service


def act(application: Application, action: str) -> None:
    applications.act(application=application, action=action, by="user:ana", now=timezone.now())


def test_a_pushed_release_is_built_and_opens_its_application(core: Core) -> None:
    release = pushed(core=core)
    application = fresh(release.application)
    assert release.state == "ready" and release.environment.startswith("sha256:") and release.log
    assert (application.status, application.release) == ("enabled", release)


def test_a_release_that_cannot_be_imported_fails_and_changes_nothing(core: Core) -> None:
    application = lively(core)
    broken = Release.objects.create(
        application=application, number=9, digest=runners.files.put(b"no archive"), created_by=None
    )
    until(lambda: not core.building.tick())
    broken.refresh_from_db()
    assert broken.state == "failed" and broken.error
    assert fresh(application).release != broken


def test_a_queued_execution_wakes_its_application(core: Core) -> None:
    application = lively(core)
    execution = queue(application)
    until(lambda: lives(core, application, "awake"))
    woken = application.transitions.get(region="service", event="wake")
    assert woken.cause == f"execution:{execution.pk}"
    assert Process.objects.get(application=application).state == "ready"


def test_a_person_wakes_it_and_it_falls_asleep_after_quiet_time(core: Core) -> None:
    application = lively(core, sleep={"after": 0.3})
    act(application, "wake")
    woke_and_slept = application.transitions.filter(region="service", target="asleep")
    until(lambda: core.living.tick() or woke_and_slept.exists())
    assert fresh(application).wake_asked_at is None
    ended = Process.objects.get(application=application)
    assert ended.state == "ended" and "Nobody used it" in fresh(application).transitions.get(event="drain").reason
    assert fresh(application).next_what == "Wakes when somebody uses it."
    assert not core.runner.engine.processes()


def test_a_person_puts_it_to_sleep(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    act(application, "sleep")
    until(lambda: lives(core, application, "asleep"))
    assert fresh(application).sleep_asked_at is None


def test_suspending_stops_it_and_nothing_starts_while_executions_wait(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    act(application, "suspend")
    until(lambda: lives(core, application, "asleep"))
    Execution.objects.all().delete()
    Application.objects.update(status="enabled")
    queue(application)
    Application.objects.update(status="suspended")
    core.living.tick()
    assert not Process.objects.filter(application=application).exclude(state="ended").exists()
    assert Execution.objects.get().status == "queued"


def test_a_process_that_is_killed_is_replaced_while_somebody_waits(core: Core) -> None:
    application = lively(core)
    queue(application)
    until(lambda: lives(core, application, "awake"))
    first = Process.objects.get(application=application)
    assert first.pid
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: Process.objects.get(pk=first.pk).state == "ended")
    until(lambda: lives(core, application, "awake") and Process.objects.filter(state="ready").exists())
    assert Process.objects.count() == 2
    assert "SIGKILL" in Process.objects.get(pk=first.pk).end_reason


def test_a_condemned_process_is_killed_with_the_reason(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    process = Process.objects.get(application=application)
    claims.condemn(process.pk, "The execution it worked on was cancelled.")
    until(lambda: lives(core, application, "asleep"))
    assert Process.objects.get().end_reason == "The execution it worked on was cancelled."


def awake(core: Core) -> Application:
    application = lively(core, sleep={"after": 600})
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    until(lambda: not core.living.tick())
    return application


def test_that_it_will_sleep_later_makes_nobody_look_at_the_application_again(core: Core, database_url: str) -> None:
    application = awake(core)
    before = fresh(application).next_at
    ended = {"status": "succeeded", "created_at": timezone.now(), "finished_at": timezone.now()}
    Execution.objects.create(id=executions.new_id(), application=application, inputs={}, seed=1, caller="x", **ended)
    with psycopg.connect(database_url, autocommit=True) as listening:
        listening.execute("LISTEN ovd")
        core.living.tick()
        told = [json.loads(notice.payload)["about"] for notice in listening.notifies(timeout=0.2)]
    assert told == ["outlook"]
    assert before is not None and before < fresh(application).next_at


def test_a_new_release_takes_over_in_the_moment_its_process_is_ready(core: Core) -> None:
    application = awake(core)
    old = Process.objects.get(application=application)
    newer = makers.release(application, 2)
    newer.digest, newer.environment = runners.archive("slow"), fresh(application).release.environment  # type: ignore[union-attr]
    newer.save()
    core.runner.engine.prepare(newer.digest, [runners.files.read(newer.digest)], lambda text: None)
    releases.use(release=newer, by="user:ana", now=timezone.now())
    assert (fresh(application).release_id, fresh(application).upcoming_id) == (old.release_id, newer.pk)

    def swapped() -> bool:
        core.living.tick()
        serving = Process.objects.filter(state="ready", release_id=fresh(application).release_id)
        assert serving.exists(), "there was a moment in which no ready process was of the current release"
        return Process.objects.get(pk=old.pk).state == "ended"

    until(swapped)
    assert (fresh(application).release_id, fresh(application).upcoming) == (newer.pk, None)
    assert not application.transitions.filter(region="service", event__in=["lose", "sleep"]).exists()


def test_the_same_archive_pushed_again_takes_over_as_well(core: Core) -> None:
    application = awake(core)
    again = pushed("echo", core)
    assert fresh(application).upcoming == again
    until(lambda: core.living.tick() or fresh(application).release == again)
    until(lambda: core.living.tick() or Process.objects.exclude(state="ended").count() == 1)


def test_an_upcoming_release_that_does_not_start_changes_nothing(core: Core) -> None:
    application = awake(core)
    broken = makers.release(application, 2)
    broken.digest = runners.files.put(b"gone bad")
    broken.save()
    releases.use(release=broken, by="user:ana", now=timezone.now())

    def dropped() -> bool:
        Application.objects.update(retry_at=None)
        core.living.tick()
        return fresh(application).upcoming is None

    until(dropped)
    left = fresh(application)
    assert left.release is not None and left.release.number == 1
    assert (left.health, left.start_failures, left.service) == ("healthy", 0, "awake")
    assert "Release 2 does not start" in application.transitions.get(event="refuse").reason


def test_an_upcoming_release_is_current_once_its_application_sleeps(core: Core) -> None:
    application = awake(core)
    newer = makers.release(application, 2)
    Application.objects.update(upcoming=newer, retry_at=timezone.now() + timedelta(hours=1))
    act(application, "sleep")
    until(lambda: lives(core, application, "asleep"))
    assert (fresh(application).release, fresh(application).upcoming) == (newer, None)


def test_an_application_that_never_starts_becomes_faulty_and_fails_its_queue(core: Core) -> None:
    application = lively(core)
    Application.objects.update(start_failures=2)
    Release.objects.update(environment="sha256:" + "0" * 64, digest=runners.files.put(b"gone bad"))
    execution = queue(application)
    until(lambda: lives(core, application, "asleep") and fresh(application).health == "faulty")
    until(lambda: Execution.objects.get(pk=execution.pk).status == "failed" or core.living.tick())
    assert Execution.objects.get(pk=execution.pk).error["code"] == "faulty"
    assert "in a row" in fresh(application).reason


def test_what_a_dead_runner_had_is_forgotten_and_started_again(core: Core) -> None:
    application = lively(core)
    queue(application)
    until(lambda: lives(core, application, "awake"))
    first = Process.objects.get(application=application)
    core.runner.kill()
    until(lambda: core.watching.runner() is None)
    core.runner.start()
    until(lambda: Process.objects.get(pk=first.pk).state == "ended")
    until(lambda: lives(core, application, "awake") and Process.objects.filter(state="ready").exists())
    assert fresh(application).start_failures == 0


def test_nothing_starts_for_an_application_that_was_suspended_a_moment_ago(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    Application.objects.filter(pk=application.pk).update(service="waking")
    seen = fresh(application)
    act(application, "suspend")
    runner = core.watching.runner()
    assert runner and seen.release
    started = processes.start(
        engine=core.runner.engine, application=seen, release=seen.release, model=None, runner=runner, now=timezone.now()
    )
    assert started is None and not Process.objects.exists()


def test_a_start_that_succeeds_beside_an_older_process_forgets_earlier_failures(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    Application.objects.update(start_failures=3, retry_at=timezone.now())
    process = Process.objects.get()
    Process.objects.update(state="starting")
    processes.answer(process_id=process.pk, now=timezone.now())
    assert (fresh(application).start_failures, fresh(application).retry_at) == (0, None)


def test_a_process_that_is_ready_says_how_it_was_born_and_after_how_long(core: Core) -> None:
    application = lively(core)
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    process = Process.objects.get(application=application)
    assert process.how in ("fork", "template")
    assert process.ready_seconds is not None and 0 < process.ready_seconds < 60
    assert process.pid
