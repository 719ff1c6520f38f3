"""Model versions: promoted, rolled back and rejected; swapped under those who use them. With a real runner."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone

import makers
import runners
from appcore.test_living import act, fresh, lives, pushed, queue
from ovd_saas.appcore import applications, models, processes, releases
from ovd_saas.appcore.refusals import NotFound
from ovd_saas.engines.base import Connected
from ovd_saas.store import claims, transitions
from ovd_saas.store.records import Application, LearningRun, ModelVersion, Process, Promotion
from runners import Core, until

NOW = timezone.now


def promote(model: ModelVersion, by: str = "user:ana", reason: str = "It is better.") -> str:
    return models.promote(application=model.application, model=model, by=by, reason=reason, now=NOW())


def rollback(application: Application, to: int | None = None) -> ModelVersion:
    return models.rollback(application=application, to=to, by="user:ana", reason="", now=NOW())


def version(application: Application, number: int, state: str = "candidate", **also: Any) -> ModelVersion:
    live = Application.objects.values_list("model", flat=True).get(pk=application.pk)
    return makers.model_version(application, number, state, **{"parent_id": live, **also})


STAND = """
    SELECT application.model_id, (
        SELECT array_agg(id) FROM store_modelversion WHERE application_id = application.id AND state = 'active'
    ), (
        SELECT model_id FROM store_promotion WHERE application_id = application.id ORDER BY at DESC LIMIT 1
    ) FROM store_application AS application WHERE id = %s"""  # in one query: of one moment


def live(application: Application) -> int | None:
    """Number of the live version, after a look at whether states, application and ledger agree."""
    with connection.cursor() as cursor:
        cursor.execute(STAND, [application.pk])
        current, active, last = cursor.fetchone()
    assert (active, last) == ([current] if current else None, current)
    return ModelVersion.objects.get(pk=current).number if current else None


# nobody is served: at once


@pytest.mark.django_db
def test_a_candidate_of_a_sleeping_application_is_live_at_once() -> None:
    application = makers.application()
    first = version(application, 1)
    assert promote(first, by="gate") == "live"
    assert live(application) == 1
    row = Promotion.objects.get()
    assert (row.model, row.previous, row.kind, row.actor, row.reason) == (
        first, None, "promote", "gate", "It is better.",
    )  # fmt: skip
    told = application.transitions.get(region="model")
    assert (told.source, told.target, told.event, told.actor) == ("", "1", "promote", "gate")


@pytest.mark.django_db
def test_the_next_one_retires_the_one_before_in_the_same_moment() -> None:
    application = makers.application()
    promote(version(application, 1))
    second = version(application, 2)
    promote(second)
    assert live(application) == 2
    assert ModelVersion.objects.get(number=1).state == "retired"
    assert Promotion.objects.order_by("-at")[0].previous == ModelVersion.objects.get(number=1)


@pytest.mark.django_db
def test_the_ledger_strictly_goes_on_whatever_the_clock_says() -> None:
    application = makers.application()
    promote(version(application, 1))
    second = version(application, 2)
    early = NOW() - timedelta(hours=1)
    models.promote(application=application, model=second, by="gate", reason="", now=early)
    at = list(Promotion.objects.order_by("pk").values_list("at", flat=True))
    assert at[0] < at[1]


@pytest.mark.django_db
def test_a_candidate_of_another_parent_is_stale() -> None:
    application = makers.application()
    late = version(application, 2)
    promote(version(application, 1))
    with pytest.raises(models.StaleParent, match="compared with no version, but now version 1 is live"):
        promote(late)
    assert live(application) == 1


@pytest.mark.django_db
def test_what_was_rejected_or_is_live_is_not_promoted() -> None:
    application = makers.application()
    first, second = version(application, 1), version(application, 2, "rejected")
    promote(first)
    with pytest.raises(models.NotPromotable, match="live already"):
        promote(first)
    with pytest.raises(models.NotPromotable, match="was rejected"):
        promote(second)
    Application.objects.update(status="retired")
    with pytest.raises(models.NotPromotable, match="retired"):
        promote(version(application, 3))


@pytest.mark.django_db
def test_the_run_ends_with_the_promotion_and_others_that_wait_for_approval_are_rejected() -> None:
    application = makers.application()
    runs = [makers.learning_run(application, number, "awaiting") for number in (1, 2)]
    first, second = (version(application, run.number, run=run) for run in runs)
    promote(second)
    assert list(LearningRun.objects.order_by("number").values_list("status", flat=True)) == ["rejected", "promoted"]
    first.refresh_from_db()
    assert first.state == "rejected" and "version 2" in first.reason
    assert application.transitions.get(region="model").cause == "learning-run:2"


@pytest.mark.django_db
def test_a_promoted_version_bakes_as_its_manifest_says_and_a_rollback_does_not() -> None:
    application = makers.application(gate={"bake": 600})
    promote(version(application, 1))
    assert fresh(application).baking is None, "there is nothing to go back to"
    promote(version(application, 2))
    row = Promotion.objects.order_by("-at")[0]
    assert row.bakes_until == row.at + timedelta(seconds=600)
    assert fresh(application).baking == row
    rollback(application)
    assert fresh(application).baking is None
    assert Promotion.objects.order_by("-at")[0].bakes_until is None


@pytest.mark.django_db
def test_rolling_back_is_a_new_row_and_goes_to_what_was_live_before() -> None:
    application = makers.application()
    for number in (1, 2, 3):
        promote(version(application, number))
    assert rollback(application).number == 2
    assert live(application) == 2
    assert rollback(application).number == 1, "before version 2 was first promoted, version 1 was live"
    rollback(application, to=3)
    assert live(application) == 3
    kinds = list(Promotion.objects.order_by("at").values_list("kind", "model__number"))
    assert kinds == [
        ("promote", 1), ("promote", 2), ("promote", 3), ("rollback", 2), ("rollback", 1), ("rollback", 3),
    ]  # fmt: skip


@pytest.mark.django_db
def test_there_is_not_always_something_to_roll_back_to() -> None:
    application = makers.application()
    with pytest.raises(models.NothingToRollBackTo):
        rollback(application)
    promote(version(application, 1))
    with pytest.raises(models.NothingToRollBackTo):
        rollback(application)
    with pytest.raises(NotFound):
        rollback(application, to=9)
    version(application, 2)
    with pytest.raises(models.NotPromotable, match="was never live"):
        rollback(application, to=2)


@pytest.mark.django_db
def test_rejecting_a_candidate_ends_the_run_that_awaits_a_decision() -> None:
    application = makers.application()
    run = makers.learning_run(application, 1, "awaiting")
    candidate = version(application, 1, run=run)
    assert models.reject(model=candidate, by="user:ana", reason="", now=NOW()).state == "rejected"
    run.refresh_from_db()
    assert (run.status, run.reason) == ("rejected", "Rejected by ana.")
    with pytest.raises(models.NotRejectable):
        models.reject(model=candidate, by="user:ana", reason="", now=NOW())


# somebody is served: the swap


def reading(core: Core, *, model: str | None = "one") -> Application:
    """The reader, awake, with version 1 when there is one."""
    application = pushed("reader", core).application
    if model is not None:
        promote(runners.model(application, 1, says=model))
    act(application, "wake")
    until(lambda: lives(core, application, "awake"))
    until(lambda: not core.living.tick())
    return fresh(application)


def swapped(core: Core, application: Application, number: int) -> bool:
    """One step; at every moment a ready process is of the current edition."""
    core.living.tick()
    now = fresh(application)
    serving = Process.objects.filter(state="ready", release=now.release, model=now.model)
    assert serving.exists() or fresh(application).model_id != now.model_id
    return live(application) == number


def test_a_process_is_set_up_with_the_live_model(core: Core) -> None:
    application = reading(core)
    row = Process.objects.get(state="ready")
    assert row.model == application.model
    (living,) = core.runner.engine.processes()
    assert application.model is not None
    assert living.model == application.model.digest


def test_a_promoted_version_takes_over_in_the_moment_its_process_is_ready(core: Core) -> None:
    application = reading(core)
    old = Process.objects.get(state="ready")
    assert promote(runners.model(application, 2, says="two")) == "upcoming"
    assert (live(application), fresh(application).upcoming_model.number) == (1, 2)  # type: ignore[union-attr]
    until(lambda: swapped(core, application, 2))
    assert (fresh(application).upcoming_model, fresh(application).promotion) == (None, None)
    until(lambda: core.living.tick() or Process.objects.get(pk=old.pk).state == "ended")
    assert not application.transitions.filter(region="service", event__in=["lose", "sleep"]).exists()


def test_the_first_model_takes_over_from_none(core: Core) -> None:
    application = reading(core, model=None)
    assert promote(runners.model(application, 1, says="one")) == "upcoming"
    until(lambda: swapped(core, application, 1))


def test_a_version_that_does_not_start_is_rejected_and_the_active_one_goes_on(core: Core) -> None:
    application = reading(core)
    run = makers.learning_run(application, 1, "evaluating")
    Application.objects.update(learning="evaluating")
    broken = runners.model(application, 2, says="broken")
    models.promote(application=application, model=broken, by="gate", reason="", now=NOW(), run=run)

    def dropped() -> bool:
        Application.objects.update(retry_at=None)
        core.living.tick()
        return fresh(application).upcoming_model is None

    until(dropped)
    assert live(application) == 1
    broken.refresh_from_db()
    run.refresh_from_db()
    assert (broken.state, run.status, fresh(application).learning) == ("rejected", "rejected", "resting")
    assert Process.objects.filter(model=broken).count() == 3
    told = application.transitions.get(region="model", event="refuse")
    assert "this model is broken" in told.reason and told.cause == "learning-run:1"
    left = fresh(application)
    assert (left.health, left.start_failures, left.service) == ("healthy", 0, "awake")


def test_a_version_whose_bytes_are_lost_is_rejected(core: Core) -> None:
    application = reading(core)
    lost = version(application, 2)
    promote(lost)

    def dropped() -> bool:
        Application.objects.update(retry_at=None)
        core.living.tick()
        return fresh(application).upcoming_model is None

    until(dropped)
    lost.refresh_from_db()
    assert lost.state == "rejected" and lost.digest in lost.reason


def test_a_release_takes_the_current_model_along(core: Core) -> None:
    application = reading(core)
    again = pushed("reader", core)
    assert fresh(application).upcoming == again
    until(lambda: core.living.tick() or fresh(application).release == again)
    assert Process.objects.get(release=again).model == fresh(application).model
    assert live(application) == 1


def test_a_release_and_a_version_may_be_upcoming_at_once(core: Core) -> None:
    application = reading(core)
    again = pushed("reader", core)
    promote(runners.model(application, 2, says="two"))
    assert (fresh(application).upcoming, live(application)) == (again, 1)

    def both() -> bool:
        core.living.tick()
        assert live(application) in (1, 2)
        return fresh(application).release == again and live(application) == 2

    until(both)
    assert (fresh(application).upcoming, fresh(application).upcoming_model) == (None, None)
    until(lambda: core.living.tick() or Process.objects.exclude(state="ended").count() == 1)


def test_a_version_that_does_not_start_leaves_an_upcoming_release_alone(core: Core) -> None:
    application = reading(core)
    broken = runners.model(application, 2, says="broken")
    promote(broken)
    again = pushed("reader", core)

    def through() -> bool:
        Application.objects.update(retry_at=None)
        core.living.tick()
        return fresh(application).release == again

    until(through)
    broken.refresh_from_db()
    assert (broken.state, live(application)) == ("rejected", 1)
    assert not application.transitions.filter(region="release", event="refuse").exists()


def test_what_is_upcoming_is_live_once_its_application_sleeps(core: Core) -> None:
    application = reading(core)
    promote(runners.model(application, 2, says="two"))
    Application.objects.update(retry_at=NOW() + timedelta(hours=1))
    act(application, "sleep")
    until(lambda: lives(core, application, "asleep"))
    assert live(application) == 2


def test_a_rollback_displaces_what_is_upcoming(core: Core) -> None:
    application = reading(core)
    promote(runners.model(application, 2, says="two"))
    until(lambda: swapped(core, application, 2))
    third = runners.model(application, 3, says="three")
    promote(third)
    assert rollback(application).number == 1
    third.refresh_from_db()
    assert third.state == "rejected" and "before it was live" in third.reason
    until(lambda: swapped(core, application, 1))


def test_going_back_within_the_moment_of_a_swap_uses_the_process_that_is_still_there(core: Core) -> None:
    application = reading(core)
    old = Process.objects.get(state="ready")
    promote(runners.model(application, 2, says="two"))
    until(lambda: swapped(core, application, 2))
    assert Process.objects.get(pk=old.pk).state == "ready"
    assert rollback(application).state == "active"
    assert live(application) == 1
    processes.drain(engine=core.runner.engine, process_id=old.pk, reason="It was planned a moment ago.", now=NOW())
    assert Process.objects.get(pk=old.pk).state == "ready"
    until(lambda: core.living.tick() or Process.objects.exclude(state="ended").count() == 1)
    assert Process.objects.get(state="ready") == old


def test_choosing_the_live_version_again_calls_a_swap_off(core: Core) -> None:
    application = reading(core)
    second = runners.model(application, 2, says="two")
    promote(second)
    assert rollback(application, to=1).state == "active"
    second.refresh_from_db()
    assert (second.state, fresh(application).upcoming_model) == ("rejected", None)


def test_a_run_that_was_cancelled_meanwhile_brings_no_version(core: Core) -> None:
    application = reading(core)
    run = makers.learning_run(application, 1, "evaluating")
    Application.objects.update(learning="evaluating")
    second = runners.model(application, 2, says="two")
    models.promote(application=application, model=second, by="gate", reason="", now=NOW(), run=run)
    transitions.learning_run(run.pk, "cancel", reason="Cancelled by ana.", now=NOW())
    until(lambda: core.living.tick() or fresh(application).upcoming_model is None)
    assert live(application) == 1
    second.refresh_from_db()
    assert second.state == "rejected"


def test_a_suspended_application_swaps_while_it_sleeps(core: Core) -> None:
    application = reading(core)
    applications.act(application=application, action="suspend", by="user:ana", now=NOW())
    until(lambda: lives(core, application, "asleep"))
    assert promote(runners.model(application, 2, says="two")) == "live"
    assert not Process.objects.exclude(state="ended").exists()


# many at once


def test_promotions_from_many_sides_never_leave_zero_or_two_live(database_url: str) -> None:
    application = makers.application()
    first = version(application, 1)
    promote(first)
    for number in range(2, 6):
        version(application, number, "retired")
    over = threading.Event()
    seen: list[tuple[int, bool]] = []

    def watch() -> None:
        with psycopg.connect(database_url, autocommit=True) as watching:
            while not over.is_set():
                row = watching.execute(STAND, [application.pk]).fetchone()
                assert row is not None
                seen.append((len(row[1] or []), row[1] == [row[0]] == [row[2]]))

    def work(seed: int) -> int:
        done = 0
        try:
            for step in range(25):
                model = ModelVersion.objects.get(application=application, number=(seed * 7 + step * 3) % 5 + 1)
                try:
                    if step % 5 == 4:
                        rollback(application)
                    else:
                        promote(model)
                    done += 1
                except (models.NotPromotable, models.NothingToRollBackTo):
                    pass
        finally:
            connections.close_all()
        return done

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(work, range(8)))
    over.set()
    watcher.join()
    assert done > 50 and len(seen) > 50
    assert set(seen) == {(1, True)}
    rows = list(Promotion.objects.filter(application=application).order_by("at"))
    assert len(rows) == done + 1
    assert all(row.previous_id == before.model_id for before, row in pairwise(rows))
    assert [row.pk for row in rows] == sorted(row.pk for row in rows), "in the order in which they happened"


def test_promotions_from_many_sides_while_it_is_awake_end_with_one(core: Core) -> None:
    application = reading(core)
    for number in range(2, 5):
        made = runners.model(application, number, says=str(number))
        ModelVersion.objects.filter(pk=made.pk).update(state="retired")

    def work(number: int) -> None:
        try:
            for _ in range(5):
                with suppress(models.NotPromotable):
                    rollback(application, to=number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(1, 5)]
        while not all(one.done() for one in working):
            core.living.tick()
            assert live(application) is not None
    for one in working:
        one.result()
    until(lambda: core.living.tick() or fresh(application).upcoming_model is None)
    until(lambda: core.living.tick() or Process.objects.exclude(state="ended").count() == 1)
    assert Process.objects.get(state="ready").model == fresh(application).model


# processes that do one task


def task(core: Core, application: Application, run: LearningRun | None, **also: Any) -> Process | None:
    runner, release = core.watching.runner(), fresh(application).release
    assert runner is not None and release is not None
    values: dict[str, Any] = {
        "model": None, "kind": "learn", "limits": {"memory_mb": 300, "cpus": 1, "disk_mb": 64}, **also,
    }  # fmt: skip
    return processes.start_task(
        engine=core.runner.engine, application=application, release=release, run=run, runner=runner, now=NOW(), **values
    )


def test_a_task_process_is_brought_what_it_needs_and_takes_no_part_in_serving(core: Core) -> None:
    application = pushed("reader", core).application
    run = makers.learning_run(application, 1, "running")
    parent = runners.model(application, 1, says="one")
    process = task(core, application, run, model=parent)
    assert process is not None and process.address
    assert (process.kind, process.run, process.model) == ("learn", run, parent)
    until(lambda: Process.objects.get(pk=process.pk).state == "ready")
    (living,) = core.runner.engine.processes()
    assert (living.task, living.model) == (True, parent.digest)
    core.living.tick()
    found = fresh(application)
    assert (found.service, Process.objects.get(pk=process.pk).state) == ("asleep", "ready")
    core.runner.engine.stop(str(process.pk), 0)
    until(lambda: Process.objects.get(pk=process.pk).state == "ended")


def test_a_task_process_that_does_not_start_is_no_failed_start(core: Core) -> None:
    application = pushed("reader", core).application
    run = makers.learning_run(application, 1, "running")
    process = task(core, application, run, model=runners.model(application, 1, says="broken"))
    assert process is not None
    until(lambda: Process.objects.get(pk=process.pk).state == "ended")
    assert "this model is broken" in Process.objects.get(pk=process.pk).end_reason
    assert (fresh(application).start_failures, fresh(application).retry_at) == (0, None)


def test_a_run_that_is_over_gets_no_process(core: Core) -> None:
    application = pushed("reader", core).application
    assert task(core, application, makers.learning_run(application, 1, "cancelled")) is None
    assert not Process.objects.exists()


def test_a_task_process_that_its_runner_lost_is_noted(core: Core) -> None:
    application = pushed("reader", core).application
    process = task(core, application, makers.learning_run(application, 1, "running"))
    assert process is not None
    core.runner.kill()
    core.runner.start()
    until(lambda: Process.objects.get(pk=process.pk).state == "ended")
    assert fresh(application).start_failures == 0


def test_a_task_process_that_nobody_wants_any_more_is_stopped(core: Core) -> None:
    application = pushed("reader", core).application
    process = task(core, application, makers.learning_run(application, 1, "running"))
    assert process is not None
    Process.objects.all().delete()
    living = Connected(core.runner.engine.processes(), ())
    runner = core.watching.runner()
    assert runner is not None
    processes.reconcile(engine=core.runner.engine, runner=runner, living=living, now=NOW())
    until(lambda: not core.runner.engine.processes())


def test_an_execution_and_a_release_know_nothing_of_task_processes(core: Core) -> None:
    application = pushed("reader", core).application
    process = task(core, application, makers.learning_run(application, 1, "running"))
    assert process is not None
    until(lambda: Process.objects.get(pk=process.pk).state == "ready")
    execution = queue(application)
    assert claims.claim(process.pk, now=NOW()) is claims.Nothing.GONE
    again = makers.release(application, 2)
    releases.use(release=again, by="user:ana", now=NOW())
    assert fresh(application).release == again
    assert execution.status == "queued"
