"""Of what is written with every look, the newest rows stay, and those that something rests on."""

from datetime import timedelta

import pytest

import makers
from ovd_saas.appcore import drift, triggers
from ovd_saas.store.queries import triggers as queries
from ovd_saas.store.records import DriftMeasure, Lookout, TriggerEvaluation
from trigger_stage import START, Stage

pytestmark = pytest.mark.django_db


def test_the_oldest_evaluations_go_but_none_that_made_a_run_due_or_that_the_next_look_compares_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "KEPT", 5)
    stage = Stage(min_samples=100)
    first = makers.learning_run(stage.application, 1)
    due = TriggerEvaluation.objects.create(
        application=stage.application, kind="manual", decision="due", reason="Due.", run=first, at=START
    )
    triggers.notice(application=stage.application, by="user:ana", note="", source=None, now=START)
    noticed = Lookout.objects.get(application=stage.id).said["notice"]["id"]
    for more in range(12):
        stage.batch(samples=1)
        triggers.look(stage.id, START + timedelta(seconds=more))
    left = TriggerEvaluation.objects.filter(application=stage.id)
    said = {kept["id"] for kept in Lookout.objects.get(application=stage.id).said.values()}
    assert set(left.values_list("id", flat=True)) >= {due.pk, noticed} | said
    assert left.filter(run=None).count() <= 5 + len(said)


def test_the_oldest_measures_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "KEPT", 3)
    application = makers.application("flow", learn={}, drift={})
    snapshot = makers.snapshot(application)
    makers.promotion(makers.model_version(application, snapshot=snapshot))
    other = makers.application("other", learn={}, drift={})
    DriftMeasure.objects.create(
        application=other, model=makers.model_version(other), through=1, samples=1, fields={}, is_drifting=False,
        reason="Nothing drifts.", at=START,
    )  # fmt: skip
    for number in range(1, 7):
        makers.batch(application, number)
        assert drift.measure(application.pk, START + timedelta(minutes=number)) is not None
    left = DriftMeasure.objects.filter(application=application).order_by("id")
    assert [measure.through for measure in left] == [4, 5, 6]
    assert DriftMeasure.objects.filter(application=other).count() == 1
