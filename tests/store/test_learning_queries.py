"""What doors read about learning: curves that stay drawable, and a ledger that answers for every moment."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

import makers
from ovd_saas.store.queries import learning_runs, models
from ovd_saas.store.records import Application, LearningEvent, LearningRun


@pytest.fixture
def flow(db: None) -> Application:
    return makers.application("flow", learn={"data": "all"})


def measured(run: LearningRun, name: str, values: list[float], *, has_steps: bool = True) -> None:
    rows = [
        LearningEvent(
            run=run,
            kind="metric",
            body={"name": name, "value": value, "step": index * 10 if has_steps else None},
            at=timezone.now(),
        )
        for index, value in enumerate(values)
    ]
    LearningEvent.objects.bulk_create(rows)


@pytest.mark.parametrize("count", [1, 2, 499, 500, 501, 999, 1000, 12_345])
def test_a_curve_has_at_most_500_points_with_its_first_and_last(flow: Application, count: int) -> None:
    run = makers.learning_run(flow)
    measured(run, "loss", [float(index) for index in range(count)])
    points = learning_runs.curves(run.pk)["loss"]
    assert len(points) == min(count, 500)
    assert (points[0].value, points[-1].value) == (0, count - 1)
    assert [point.step for point in points] == [point.value * 10 for point in points]
    gaps = [after.value - before.value for before, after in itertools.pairwise(points)]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_each_metric_is_a_curve_and_without_steps_the_place_is_the_step(flow: Application) -> None:
    run = makers.learning_run(flow)
    measured(run, "loss", [3.0, 2.0])
    measured(run, "accuracy", [0.5, 0.75, 1.0], has_steps=False)
    found = learning_runs.curves(run.pk)
    assert [(point.step, point.value) for point in found["accuracy"]] == [(0, 0.5), (1, 0.75), (2, 1.0)]
    assert [(point.step, point.value) for point in found["loss"]] == [(0, 3.0), (10, 2.0)]
    assert learning_runs.curves(makers.learning_run(flow, 2).pk) == {}


def test_the_log_of_a_run_is_what_it_keeps_or_what_its_events_told_so_far(flow: Application) -> None:
    run = makers.learning_run(flow, status="running")
    for text in ("epoch 1\n", "epoch 2\n"):
        LearningEvent.objects.create(run=run, kind="log", body={"stream": "stdout", "text": text}, at=timezone.now())
    assert learning_runs.log(run.pk) == "epoch 1\nepoch 2\n"
    LearningRun.objects.filter(pk=run.pk).update(log="all of it\n")
    assert learning_runs.log(run.pk) == "all of it\n"


def test_the_open_run_is_the_one_that_is_not_over(flow: Application) -> None:
    makers.learning_run(flow, 1, "failed")
    makers.learning_run(flow, 2, "awaiting")
    assert learning_runs.open_run(flow) is None
    paused = makers.learning_run(flow, 3, "paused")
    assert learning_runs.open_run(flow) == paused
    assert [run.number for run in learning_runs.awaiting(flow)] == [2]


def test_a_run_learned_from_the_first_to_the_last_batch_of_its_snapshot(flow: Application) -> None:
    run = makers.learning_run(flow, snapshot=makers.snapshot(flow, last=3))
    empty = makers.snapshot(flow, last=4, batches=[])
    others = [makers.learning_run(flow, 2, "failed"), makers.learning_run(flow, 3, snapshot=empty)]
    assert learning_runs.batches_of(run) == (1, 3)
    assert [learning_runs.batches_of(other) for other in others] == [None, None]
    assert learning_runs.bounds([run.snapshot_id, None, empty.pk]) == {run.snapshot_id: (1, 3)}


def test_runs_and_models_are_read_page_by_page_newest_first(flow: Application) -> None:
    for number in range(1, 6):
        makers.model_version(flow, number, run=makers.learning_run(flow, number))
    runs, versions = learning_runs.recent(flow, limit=3), models.recent(flow, limit=3)
    assert [row.number for row in runs.items] == [row.number for row in versions.items] == [5, 4, 3]
    assert [row.number for row in learning_runs.recent(flow, before=runs.next).items] == [2, 1]
    assert [row.number for row in models.recent(flow, before=versions.next).items] == [2, 1]


def test_the_ledger_answers_what_was_live_at_any_moment(flow: Application) -> None:
    start = timezone.now()
    one, two = makers.model_version(flow, 1), makers.model_version(flow, 2)
    makers.promotion(one, at=start)
    makers.promotion(two, at=start + timedelta(days=1))
    makers.promotion(one, "rollback", at=start + timedelta(days=2))
    moment = timedelta(microseconds=1)

    def live(at: timedelta) -> int | None:
        found = models.live_at(flow, start + at)
        return found.model.number if found else None

    assert live(-moment) is None
    assert live(timedelta(0)) == 1
    assert live(timedelta(days=1) - moment) == 1
    assert live(timedelta(days=1)) == 2
    assert live(timedelta(days=2)) == 1
    assert live(timedelta(days=9999)) == 1
    assert models.live(flow) == one
    days = [start + timedelta(days=day) for day in range(3)]
    found = {
        id_: [(row.promotion.at, row.until) for row in rows] for id_, rows in models.stretches_of([one, two]).items()
    }
    assert found == {one.pk: [(days[0], days[1]), (days[2], None)], two.pk: [(days[1], days[2])]}
    then = models.stretch_at(flow, days[1])
    assert then and (then.promotion.model, then.until) == (two, days[2])
    assert models.stretch_at(flow, days[0] - moment) is None


def test_rolling_back_goes_to_what_was_live_before_the_current_one_was_first_promoted(flow: Application) -> None:
    start = timezone.now()
    assert models.previous_live(flow) is None
    one, two, three = (makers.model_version(flow, number) for number in (1, 2, 3))
    for day, (model, before) in enumerate([(one, None), (two, one), (three, two), (two, one), (one, None)]):
        makers.promotion(model, at=start + timedelta(days=day))
        assert models.previous_live(flow) == before
