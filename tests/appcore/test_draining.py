"""Draining a machine and evicting a process, on real rows: nothing new starts, what runs finishes, who waits knows why.

The engine keeps processes in memory; plan, loops, transitions and PostgreSQL are the real ones.
"""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

import makers
from appcore.test_sleeping import Place, answer, fresh, use, woken
from ovd_saas.appcore import processes, runners
from ovd_saas.appcore.loops.evicting import Evicting
from ovd_saas.appcore.loops.learning import Learning
from ovd_saas.appcore.loops.measuring import KEPT, Measuring
from ovd_saas.store.queries import measures
from ovd_saas.store.records import Execution, Measure, Process, Runner

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = "Machine shelf is being drained since"


@pytest.fixture
def place() -> Place:
    return Place(4096)


def drained(place: Place, reason: str = "") -> None:
    place.runner = runners.drain(runner_id=place.runner.pk, by="user:ana", reason=reason, now=timezone.now())


def test_nothing_starts_on_a_drained_machine_and_who_waits_is_told_why(place: Place) -> None:
    drained(place)
    echo = makers.application("echo")
    use(echo)
    place.live()
    assert fresh(echo).service == "asleep"
    assert fresh(echo).next_what.startswith(SAID)
    assert place.engine.alive == {}
    place.runner = runners.undrain(runner_id=place.runner.pk, by="user:bo", now=timezone.now())
    place.live()
    assert fresh(echo).service == "awake"


def test_who_is_awake_finishes_and_falls_asleep_with_the_reason(place: Place) -> None:
    [echo] = woken(place, "echo")
    use(echo)  # it runs when the machine is drained
    running = Execution.objects.filter(application=echo, status="queued").get()
    Execution.objects.filter(pk=running.pk).update(status="running", process=Process.objects.get().pk)
    drained(place)
    place.living.tick()
    assert fresh(echo).service == "draining"
    assert fresh(echo).reason.startswith(SAID)
    assert Process.objects.get().state == "draining"
    Execution.objects.filter(pk=running.pk).update(status="succeeded", finished_at=timezone.now())
    place.live()
    assert fresh(echo).service == "asleep"
    use(echo)
    place.live()
    assert fresh(echo).service == "asleep", "the next one waits"


def test_a_learning_run_waits_with_the_reason(place: Place) -> None:
    flow = makers.learning_application()
    run = makers.learning_run(flow, 1, "queued")
    type(flow).objects.filter(pk=flow.pk).update(learning="due")
    drained(place)
    Learning(place.engine, lambda: place.runner).tick()  # type: ignore[arg-type]
    run.refresh_from_db()
    assert run.status == "queued"
    assert run.reason.startswith(SAID)
    place.live()
    assert fresh(flow).next_what.startswith(SAID)


@pytest.mark.parametrize(("policy", "becomes"), [("yield", "yielding"), ("together", "learning")])
def test_learning_gives_way_where_its_author_said_that_it_can(place: Place, policy: str, becomes: str) -> None:
    flow = makers.learning_application(on_wake=policy)
    makers.learning_run(flow, 1, "running")
    type(flow).objects.filter(pk=flow.pk).update(learning="learning")
    drained(place)
    place.live()
    assert fresh(flow).learning == becomes


def test_who_drains_or_takes_back_second_is_told_what_is_so(place: Place) -> None:
    drained(place, "  New memory  ")
    assert place.runner.drain_reason == "New memory"
    with pytest.raises(runners.Drained, match="ana drains shelf already"):
        drained(place)
    runners.undrain(runner_id=place.runner.pk, by="user:bo", now=timezone.now())
    with pytest.raises(runners.NotDrained):
        runners.undrain(runner_id=place.runner.pk, by="user:ana", now=timezone.now())


def test_an_evicted_process_ends_and_the_next_request_wakes_it_again(place: Place) -> None:
    [echo] = woken(place, "echo")
    process = Process.objects.get(state="ready")
    processes.evict(process_id=process.pk, by="user:ana", now=timezone.now())
    evicting = Evicting(place.engine)  # type: ignore[arg-type]
    evicting.tick()
    assert place.engine.alive == {str(process.pk): True}, "the runner was asked to end it"
    place.live()
    process.refresh_from_db()
    assert (process.state, process.end_reason) == ("ended", "Evicted by ana.")
    assert fresh(echo).service == "asleep"
    use(echo)
    place.live()
    answer(echo)
    assert fresh(echo).service == "awake"
    assert evicting.tick() is False


def test_only_a_living_process_that_serves_is_evicted_and_the_refusal_says_what_to_do(place: Place) -> None:
    [echo] = woken(place, "echo")
    process = Process.objects.get(state="ready")
    processes.evict(process_id=process.pk, by="user:ana", now=timezone.now())
    with pytest.raises(processes.NotEvictable, match="is ending already"):
        processes.evict(process_id=process.pk, by="user:bo", now=timezone.now())
    processes.end(process_id=process.pk, reason="It ended.", now=timezone.now())
    with pytest.raises(processes.NotEvictable, match="has ended already"):
        processes.evict(process_id=process.pk, by="user:bo", now=timezone.now())
    run = makers.learning_run(echo, 4, "running")
    Process.objects.filter(pk=process.pk).update(kind="learn", run=run, state="ready")
    with pytest.raises(processes.NotEvictable, match="Cancel learning run 4 instead"):
        processes.evict(process_id=process.pk, by="user:bo", now=timezone.now())


def told(runner: Runner, worked: float, seconds: float) -> None:
    facts = {**runner.facts, "busy_seconds": worked, "used_mb": 700, "cpus": 4}
    seen_at = BEGIN + timedelta(seconds=seconds)
    Runner.objects.filter(pk=runner.pk).update(facts=facts, seen_at=seen_at)


def test_a_measure_says_what_the_processors_did_since_the_one_before(place: Place) -> None:
    measuring = Measuring()
    assert measuring.pause() < 60, "the first one is not waited for so long"
    woken(place, "echo")
    told(place.runner, 1000, 0)
    measuring.tick()
    assert Measure.objects.count() == 0, "there is nothing to compare with"
    told(place.runner, 1090, 60)
    measuring.tick()
    [one] = Measure.objects.all()
    assert (one.busy_cpus, one.used_mb, one.admitted_mb, one.processes) == (1.5, 700, 512, 1)
    told(place.runner, 5, 120)
    measuring.tick()
    assert Measure.objects.count() == 1, "a machine that was restarted counts anew"
    assert measuring.pause() == 60


def test_measures_older_than_two_weeks_go_and_curves_are_as_long_as_asked_for(place: Place) -> None:
    now = timezone.now()
    for minutes in (0, 1, 50, 300, KEPT.total_seconds() / 60 + 1):
        Measure.objects.create(
            runner=place.runner, at=now - timedelta(minutes=minutes), busy_cpus=minutes / 100, used_mb=100,
            admitted_mb=512, processes=1, waiting=0,
        )  # fmt: skip
    Measuring().tick()
    assert Measure.objects.count() == 4
    hour = measures.curves([place.runner.pk], "hour", now=now)[place.runner.pk]
    assert len(hour) == 3
    week = measures.curves([place.runner.pk], "week", now=now)[place.runner.pk]
    assert max(one.most_cpus for one in week) == 3.0
