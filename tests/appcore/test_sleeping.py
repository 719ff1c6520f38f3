"""Sleeping, on real rows: memory is admitted, who idles gives it, hours and habits wake, more processes come and go.

The engine keeps processes in memory; plan, loops, transitions and PostgreSQL are the real ones.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

import makers
from ovd_saas.appcore import applications, executions, processes, releases
from ovd_saas.appcore.loops.learning import Learning
from ovd_saas.appcore.loops.living import Living
from ovd_saas.domain import service
from ovd_saas.engines import base
from ovd_saas.store import claims, facts, memory
from ovd_saas.store.queries import uses
from ovd_saas.store.records import Application, Execution, LearningRun, Process, Release, Runner

pytestmark = pytest.mark.django_db


class Shelf:
    """As much of an engine as living needs."""

    def __init__(self) -> None:
        self.alive: dict[str, bool] = {}  # id -> has been asked to stop

    def start(self, *, process: str, **_: Any) -> base.Started:
        self.alive[process] = False
        return base.Started(1, f"/nowhere/{process}")

    def stop(self, process: str, grace: float) -> None:
        if process in self.alive:
            self.alive[process] = True


class Place:
    """A machine with so much memory for applications, and AppCore's loop on it."""

    def __init__(self, total_mb: int) -> None:
        self.engine = Shelf()
        self.runner = Runner.objects.create(name="shelf", is_up=True, facts={"applications_mb": total_mb})
        self.living = Living(self.engine, lambda: self.runner)  # type: ignore[arg-type]

    def live(self, rounds: int = 6) -> None:
        """Processes that start get ready, and those that were asked to stop end."""
        for _ in range(rounds):
            self.living.tick()
            for id_ in Process.objects.filter(state="starting", kind="serve").values_list("pk", flat=True):
                processes.answer(process_id=id_, now=timezone.now())
            for id_, is_asked in list(self.engine.alive.items()):
                if is_asked:
                    del self.engine.alive[id_]
                    processes.end(process_id=UUID(id_), reason="It ended.", now=timezone.now())


@pytest.fixture
def place() -> Place:
    return Place(1024)


def use(application: Application) -> Execution:
    return executions.submit(
        application=fresh(application), inputs={}, seed=1, deadline_at=None, caller="user:1", by_id=None, cause={},
        idempotency_key=None, request_digest="", now=timezone.now(),
    )[0]  # fmt: skip


def answer(application: Application) -> None:
    """Whoever waits there is served, a while ago: so it idles."""
    rows = Process.objects.filter(application=application, state="ready")
    for id_ in rows.values_list("pk", flat=True):
        while isinstance(found := claims.claim(id_, now=timezone.now()), Execution):
            done = claims.Result("succeed", {}, None, "", 0.1, {}, {}, None)
            assert claims.finish(found.pk, found.lease, done, now=timezone.now())


def idle(application: Application, seconds: float = 60) -> None:
    """It has been awake, used, and quiet for so long."""
    before = timezone.now() - timedelta(seconds=seconds)
    Process.objects.filter(application=application).update(started_at=before, ready_at=before)
    Execution.objects.filter(application=application).update(created_at=before, started_at=before, finished_at=before)


def fresh(application: Application) -> Application:
    return Application.objects.select_related("organisation", "release").get(pk=application.pk)


def woken(place: Place, *names: str, **manifest: Any) -> list[Application]:
    """Awake, used once, and idle: the first one for the longest time."""
    made = [makers.application(name, sleep={"after": 3000, **manifest.pop("sleep", {})}, **manifest) for name in names]
    for application in made:
        use(application)
        place.live()
        answer(application)
    for number, application in enumerate(made):
        assert fresh(application).service == "awake"
        idle(application, 60 - number)
    return made


def held() -> int:
    return sum(Process.objects.exclude(state="ended").values_list("memory_mb", flat=True))


def test_who_idled_longest_gives_its_memory_to_whom_somebody_waits_for(place: Place) -> None:
    first, second = woken(place, "first", "second")
    third = makers.application("third")
    use(third)
    place.live()
    assert [fresh(one).service for one in (first, second, third)] == ["asleep", "awake", "awake"]
    assert fresh(first).reason == "It gave its memory to acme/third, which somebody waits for."
    drained = first.transitions.filter(region="service", event="drain").get()
    assert drained.reason == fresh(first).reason
    assert held() == 1024


def test_what_does_not_fit_waits_with_the_reason_and_starts_as_soon_as_it_does(place: Place) -> None:
    first, second = woken(place, "first", "second")
    use(first), use(second)  # now both are in use
    third = makers.application("third", resources={"memory_mb": 600})
    execution = use(third)
    place.live()
    waiting = fresh(third)
    assert (waiting.service, waiting.next_what) == (
        "asleep", "Waits for memory: needs 600 MB, 0 of 1,024 MB are free."
    )  # fmt: skip
    assert (waiting.waits_since, waiting.waits_mb) == (execution.created_at, 600)
    assert not third.transitions.filter(region="service").exists(), "it does not wake and fall asleep all the time"
    answer(first), answer(second)
    idle(first), idle(second)
    place.live(10)
    assert fresh(third).service == "awake" and fresh(third).waits_since is None
    assert held() == 600
    assert Execution.objects.get(pk=execution.pk).status == "queued"


def test_who_waits_longer_is_next_and_small_ones_do_not_take_its_memory(place: Place) -> None:
    busy, other = woken(place, "busy", "other")
    use(busy), use(other)
    large, small = makers.application("large", resources={"memory_mb": 1024}), makers.application("small")
    use(large)
    place.live()
    use(small)
    answer(other)
    idle(other)
    place.live()
    assert fresh(other).service == "asleep", "it gave what it had"
    assert fresh(small).next_what == (
        "Waits for memory: needs 512 MB, 512 of 1,024 MB are free, for those who have waited longer."
    )
    answer(busy)
    idle(busy)
    place.live()
    assert (fresh(large).service, fresh(small).service) == ("awake", "asleep")
    answer(large)
    idle(large)
    place.live()
    assert (fresh(large).service, fresh(small).service) == ("asleep", "awake")


def test_what_never_fits_is_refused_with_what_to_do(place: Place) -> None:
    application = makers.application("giant", resources={"memory_mb": 4096})
    execution = use(application)
    place.live()
    execution.refresh_from_db()
    assert (execution.status, execution.error["code"]) == ("failed", "too_large")
    assert execution.error["message"] == (
        "It needs 4,096 MB of memory, and the machine has 1,024 MB for applications. "
        "Lower memory_mb in its manifest, or raise OVD_MEMORY_MB of the runner."
    )
    assert (fresh(application).health, fresh(application).service) == ("faulty", "asleep")
    assert fresh(application).reason == execution.error["message"]
    place.runner.facts = {"applications_mb": 8192}
    use(application)
    place.live()
    assert (fresh(application).health, fresh(application).service) == ("healthy", "awake")


def test_a_release_that_never_fits_does_not_replace_one_that_does(place: Place) -> None:
    (application,) = woken(place, "grows")
    newer = makers.release(application, 2, resources={"memory_mb": 4096})
    releases.use(release=newer, by="user:ana", now=timezone.now())
    for _ in range(3):
        Application.objects.update(retry_at=None)
        place.live()
    left = fresh(application)
    assert left.release is not None and left.release.number == 1 and left.upcoming is None
    assert (left.service, left.health) == ("awake", "healthy")
    assert "needs 4,096 MB of memory" in application.transitions.get(event="refuse").reason


def test_a_newer_release_takes_over_where_both_do_not_fit(place: Place) -> None:
    (application,) = woken(place, "full", resources={"memory_mb": 1024})
    newer = makers.release(application, 2, resources={"memory_mb": 1024})
    use(application)
    releases.use(release=newer, by="user:ana", now=timezone.now())
    place.live()
    left = fresh(application)
    assert left.release == newer and left.service == "awake"
    assert Execution.objects.filter(status="queued").count() == 1, "who waited waits on, and nobody failed"
    assert held() == 1024


@pytest.mark.django_db(transaction=True)
def test_two_that_start_at_the_same_time_are_not_given_the_same_memory() -> None:
    runner = Runner.objects.create(name="shelf", is_up=True, facts={"applications_mb": 1024})
    made = [makers.application(f"app-{number}") for number in range(6)]
    Application.objects.update(service="waking")
    gate, refused = threading.Barrier(len(made)), []

    def start(application: Application) -> None:
        try:
            gate.wait(10)
            assert application.release is not None
            processes.start(
                engine=Shelf(), application=application, release=application.release, model=None, runner=runner,  # type: ignore[arg-type]
                now=timezone.now(),
            )  # fmt: skip
        except processes.NoRoom as lack:
            refused.append(str(lack))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start, args=(application,)) for application in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held() == 1024
    assert refused == ["Waits for memory: needs 512 MB, 0 of 1,024 MB are free."] * 4


def test_a_machine_that_does_not_say_what_it_has_admits_everything() -> None:
    assert memory.total_mb(Runner(facts={})) is None
    assert memory.total_mb(Runner(facts={"memory_mb": 1000})) == 800
    assert memory.total_mb(Runner(facts={"memory_mb": 1000, "applications_mb": 300})) == 300


# learning


def due(name: str = "flow", **learn: Any) -> LearningRun:
    application = makers.learning_application(name, **learn)
    Application.objects.filter(pk=application.pk).update(learning="due")
    return makers.learning_run(application, status="queued")


def test_learning_waits_for_memory_with_the_reason_and_takes_it_from_who_has_idled(place: Place) -> None:
    first, second = woken(place, "first", "second")
    use(second)
    run = due(memory_mb=800)
    learning = Learning(place.engine, lambda: place.runner)  # type: ignore[arg-type]
    learning.tick()
    place.live()
    run.refresh_from_db()
    assert (run.status, run.reason) == ("queued", "Waits for memory: needs 800 MB, 0 of 1,024 MB are free.")
    assert fresh(run.application).learning == "due"
    assert fresh(run.application).next_what == run.reason
    assert fresh(first).reason == "It gave its memory to acme/flow, which learns."
    assert fresh(second).service == "awake", "somebody waits for it"


def test_serving_comes_before_learning(place: Place) -> None:
    busy, _ = woken(place, "busy", "other", resources={"memory_mb": 512})
    use(busy)
    large = makers.application("large", resources={"memory_mb": 1024})
    use(large)
    place.live()
    assert fresh(large).waits_mb == 1024 and held() == 512
    run = due(memory_mb=256)
    Learning(place.engine, lambda: place.runner).tick()  # type: ignore[arg-type]
    run.refresh_from_db()
    assert run.status == "queued" and run.reason.endswith("are free, for those who have waited longer.")


def test_learning_that_never_fits_is_cancelled_with_the_reason(place: Place) -> None:
    run = due(memory_mb=4096)
    Learning(place.engine, lambda: place.runner).tick()  # type: ignore[arg-type]
    run.refresh_from_db()
    assert run.status == "cancelled" and "needs 4,096 MB of memory" in run.reason


# several processes


def awake_alone(place: Place, *, max_replicas: int) -> Application:
    """With one process, and from now on allowed to have more."""
    (application,) = woken(place, "busy")
    assert application.release is not None
    execute = {"max_replicas": max_replicas, "concurrency": 1, "timeout": 60}
    Release.objects.update(manifest={**application.release.manifest, "execute": execute})
    return application


def test_more_processes_come_while_somebody_waits_and_go_when_nobody_needs_them() -> None:
    place = Place(4096)
    application = awake_alone(place, max_replicas=3)
    for _ in range(6):
        use(application)
    Execution.objects.filter(status="queued").update(created_at=timezone.now() - timedelta(seconds=1))
    place.live()
    ready = Process.objects.filter(state="ready")
    assert ready.count() == 3
    claimed = [claims.claim(id_, now=timezone.now()) for id_ in ready.values_list("pk", flat=True)]
    assert all(isinstance(one, Execution) for one in claimed), "each of them gets work"
    for one in claimed:
        assert isinstance(one, Execution)
        done = claims.Result("succeed", {}, None, "", 0.1, {}, {}, None)
        assert claims.finish(one.pk, one.lease, done, now=timezone.now())
    answer(application)
    place.live()
    assert ready.count() == 3, "they were in use a moment ago"
    idle(application)
    place.living = Living(place.engine, lambda: place.runner)  # type: ignore[arg-type]
    place.live()
    assert ready.count() == 1 and fresh(application).service == "awake"
    reasons = Process.objects.filter(state="ended").values_list("end_reason", flat=True)
    assert list(reasons) == ["The others are enough: nobody needed it for a while."] * 2


def test_more_processes_do_not_come_before_who_waits_for_a_first_one(place: Place) -> None:
    application = awake_alone(place, max_replicas=3)
    for _ in range(3):
        use(application)
    Execution.objects.filter(status="queued").update(created_at=timezone.now() - timedelta(seconds=1))
    other = makers.application("other")
    use(other)
    Application.objects.filter(pk=other.pk).update(waits_since=timezone.now(), waits_mb=512)
    place.live()
    assert fresh(other).service == "awake"
    assert Process.objects.filter(application=application, state="ready").count() == 1
    said = fresh(application).next_what
    assert said == "One more process waits for memory: needs 512 MB, 0 of 1,024 MB are free."


def test_several_processes_give_way_to_a_newer_release_that_serves() -> None:
    place = Place(4096)
    application = awake_alone(place, max_replicas=2)
    for _ in range(4):
        use(application)
    Execution.objects.filter(status="queued").update(created_at=timezone.now() - timedelta(seconds=1))
    place.live()
    assert Process.objects.filter(state="ready").count() == 2
    newer = makers.release(application, 2, execute={"max_replicas": 2, "concurrency": 1, "timeout": 60})
    releases.use(release=newer, by="user:ana", now=timezone.now())
    place.live()
    Process.objects.filter(release=newer).update(ready_at=timezone.now() - timedelta(seconds=5))
    place.live()
    current = Process.objects.filter(release=newer, state="ready")
    assert fresh(application).release == newer and current.exists()
    assert not Process.objects.exclude(release=newer).exclude(state="ended").exists()
    assert not application.transitions.filter(region="service", event__in=["lose", "sleep"]).exists()


# hours and habits

ALWAYS = "00:00-24:00"


def test_hours_wake_it_and_keep_it_awake(place: Place) -> None:
    application = makers.application("office", sleep={"after": 0, "keep_awake": ALWAYS})
    releases.take_over(application=application, release=application.release, by="x", now=timezone.now())  # type: ignore[arg-type]
    place.live()
    assert fresh(application).service == "awake"
    assert application.transitions.get(event="wake").reason == "Kept awake at all times."
    idle(application, 1000)
    place.live()
    assert (fresh(application).service, fresh(application).next_what) == ("awake", "Kept awake at all times.")


def test_memory_is_not_taken_from_who_is_kept_awake(place: Place) -> None:
    kept, other = woken(place, "kept", "other", sleep={"keep_awake": ALWAYS})
    Release.objects.filter(application=other).update(manifest={**other.release.manifest, "sleep": {"after": 3000}})  # type: ignore[union-attr]
    third = makers.application("third")
    use(third)
    place.live()
    assert [fresh(one).service for one in (kept, other, third)] == ["awake", "asleep", "awake"]


def test_a_person_puts_it_to_sleep_in_its_hours(place: Place) -> None:
    (application,) = woken(place, "office", sleep={"keep_awake": ALWAYS})
    applications.act(application=application, action="sleep", by="user:ana", now=timezone.now())
    place.live()
    left = fresh(application)
    assert left.service == "asleep" and left.wakes_at is not None and left.wakes_at > timezone.now()


def test_one_that_sleeps_until_its_hours_costs_no_look(place: Place) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    application = makers.application("office", sleep={"keep_awake": f"{tomorrow:%a} 00:00-24:00".lower()})
    Application.objects.filter(pk=application.pk).update(wakes_at=timezone.now())
    assert facts.restless() == [application.pk]
    place.live()
    assert facts.restless() == []
    left = fresh(application)
    assert left.wakes_at is not None and left.wakes_at > timezone.now()
    assert left.next_what.startswith("Wakes on ") and left.next_at == left.wakes_at


def test_hours_count_from_the_moment_it_is_enabled(place: Place) -> None:
    application = makers.application("office", sleep={"keep_awake": ALWAYS})
    applications.act(application=application, action="suspend", by="user:ana", now=timezone.now())
    place.live()
    assert fresh(application).wakes_at is None
    applications.act(application=application, action="enable", by="user:ana", now=timezone.now())
    place.live()
    assert fresh(application).service == "awake"


def used_daily(application: Application, days: int = 27) -> datetime:
    """At the minute of the day in ten minutes; returns when that is."""
    soon = timezone.now().astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
    for day in range(1, days + 1):
        at = soon - timedelta(days=day)
        Execution.objects.create(
            id=executions.new_id(), application=application, status="succeeded", inputs={}, seed=1, caller="user:1",
            created_at=at, started_at=at, finished_at=at,
        )  # fmt: skip
    return soon


def test_regular_use_wakes_it_ahead_and_nobody_who_came_puts_it_to_sleep(place: Place) -> None:
    application = makers.application("daily", sleep={"after": 60, "predict": True})
    soon = used_daily(application)
    Application.objects.filter(pk=application.pk).update(wakes_at=timezone.now())
    place.live()
    seen = fresh(application)
    assert seen.service == "asleep" and seen.wakes_at is not None
    assert abs(seen.wakes_at - soon) <= timedelta(minutes=3)
    assert "Used on the last 4" in seen.next_what and facts.restless() == []
    now = timezone.now()
    at, until = now - timedelta(minutes=1), now + timedelta(minutes=20)
    foreseen = {**seen.foreseen, "at": at.isoformat(), "until": until.isoformat()}
    Application.objects.filter(pk=application.pk).update(wakes_at=at, foreseen=foreseen)
    place.live()
    assert fresh(application).service == "awake"
    assert application.transitions.get(event="wake").reason.startswith("Used on the last 4")
    over = {**foreseen, "at": (now - timedelta(minutes=30)).isoformat(), "until": now.isoformat()}
    Application.objects.filter(pk=application.pk).update(wakes_at=now - timedelta(minutes=30), foreseen=over)
    Process.objects.update(started_at=now - timedelta(minutes=29), ready_at=now - timedelta(minutes=29))
    place.live()
    assert fresh(application).service == "asleep"
    assert application.transitions.get(event="drain").reason.startswith("Nobody came. Used on the last 4")


def test_nobody_looks_for_habits_unless_the_manifest_asks_for_it(place: Place) -> None:
    application = makers.application("daily", sleep={"after": 60})
    used_daily(application)
    Application.objects.filter(pk=application.pk).update(wakes_at=timezone.now())
    place.live()
    left = fresh(application)
    assert (left.service, left.wakes_at, left.foreseen) == (service.ASLEEP, None, None)


def test_uses_are_read_as_coarse_as_habits_need_them(place: Place) -> None:
    application = makers.application("busy")
    began = timezone.now() - timedelta(days=1)
    for second in range(0, 7200, 60):
        at = began + timedelta(seconds=second)
        Execution.objects.create(
            id=executions.new_id(), application=application, status="succeeded", inputs={}, seed=1, caller="user:1",
            created_at=at,
        )  # fmt: skip
    found = uses.firsts(application.pk, since=began - timedelta(days=1), step=timedelta(minutes=15))
    assert [at - began for at in found] == [timedelta(minutes=15 * number) for number in range(8)]
