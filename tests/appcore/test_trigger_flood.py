"""Ten thousand batches and notices from eight producers at once, against the loop as AppCore runs it: exact counts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from django.utils import timezone

import makers
from ovd_saas.appcore import triggers
from ovd_saas.appcore.loops.loop import Loop
from ovd_saas.appcore.loops.triggering import HEARS, Triggering
from ovd_saas.store import notices
from ovd_saas.store.records import Application, Batch
from runners import until
from trigger_stage import Stage

PRODUCERS = 8
BOUND_SECONDS = 60.0  # of processor time, whatever else the machine does

pytestmark = pytest.mark.timeout(240)


@contextmanager
def triggering(url: str) -> Iterator[None]:
    """The loop, and the ear of AppCore."""
    found = Triggering()
    loop = Loop("triggering", found.tick, period_seconds=found.pause, hears=HEARS)
    is_over = threading.Event()

    def listen() -> None:
        for notice in notices.listen(url, timeout=0.2):
            if is_over.is_set():
                return
            if notice is not None and notice["about"] in HEARS:
                found.hear(notice)
                loop.nudge()

    ear = threading.Thread(target=listen)
    ear.start()
    loop.start()
    try:
        yield
    finally:
        is_over.set()
        ear.join()
        loop.stop()
        loop.join(20)


def produce(calls: int, call: Callable[[int], object]) -> float:
    """Each of the producers calls so often; how many seconds of processor time this took, and the loop beside it."""
    faults: list[BaseException] = []

    def go_on() -> None:
        try:
            for turn in range(calls):
                call(turn)
        except BaseException as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go_on) for _ in range(PRODUCERS)]
    began = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
    return time.process_time() - began


def test_ten_thousand_while_a_run_is_open_make_one_more(database_url: str) -> None:
    each, every_fifth = 1250, 5
    batches = PRODUCERS * each // every_fifth
    stage = Stage(min_samples=batches)
    application: Application = stage.application

    def call(turn: int) -> None:
        if turn % every_fifth == 0:
            makers.delivered(application, 1)
        else:
            triggers.notice(application=application, by="user:ana", note="", source=None, now=timezone.now())

    with triggering(database_url):
        stage.batch(10)
        stage.notify()
        stage.begin()
        assert produce(each, call) < BOUND_SECONDS
        assert len(stage.runs) == 1
        stage.end()
        until(lambda: len(stage.runs) == 2)
        last = stage.runs[-1]
        made_by = {row.kind for row in stage.evaluations() if row.run == last}
        assert made_by == {"notice", "data"}, "not one sample is missing"
        stage.now = timezone.now()
        stage.learn()
        until(lambda: "nothing is left" in stage.evaluations("data")[-1].reason or not stage.run)
    rows = Batch.objects.order_by("number").values_list("number", "step__number")
    assert list(rows) == [(1, 1), *((number, 2) for number in range(2, batches + 2))]
    assert len(stage.runs) == 2
    assert len(stage.evaluations("notice")) == 3, "due, waits, due: equal verdicts are one row"
    assert application.noticed_at is None


def test_each_of_a_thousand_is_learned_once_while_runs_come_and_go(database_url: str) -> None:
    enough, each = 60, 125
    stage = Stage(min_samples=enough)
    application = stage.application
    is_over = threading.Event()

    def learn_on() -> None:
        while not is_over.is_set():
            if stage.run is not None:
                stage.now = timezone.now()
                stage.learn()
            time.sleep(0.01)
        connections.close_all()

    learner = threading.Thread(target=learn_on)
    with triggering(database_url):
        learner.start()
        assert produce(each, lambda _: makers.delivered(application, 1)) < BOUND_SECONDS
        until(lambda: stage.run is None and Batch.objects.filter(step=None).count() < enough)
        is_over.set()
        learner.join()
    pending = Batch.objects.filter(step=None).count()
    taken = [run.batches.count() for run in stage.runs]
    assert sum(taken) + pending == PRODUCERS * each == Batch.objects.count()
    assert all(number >= enough for number in taken) and pending < enough
    due = [row.run for row in stage.evaluations("data") if row.decision == "due"]
    assert due == stage.runs
