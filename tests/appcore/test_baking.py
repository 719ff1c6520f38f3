"""Baking: a version that was just promoted is watched, and rolled back when it does worse."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

import makers
from appcore.test_learning import Stage
from ovd_saas.appcore import baking, learning_process, models
from ovd_saas.appcore.executions import new_id
from ovd_saas.appcore.loops.baking import Baking
from ovd_saas.domain import baking as rules
from ovd_saas.domain.baking import Comparison, Decision
from ovd_saas.domain.gate import Assessment
from ovd_saas.files import store as files
from ovd_saas.store.records import Application, Execution, ModelVersion, Process, Promotion, Runner, Transition
from runners import Core, until

PROMOTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON, LATER = PROMOTED + timedelta(minutes=5), PROMOTED + timedelta(hours=2)
BAD, GOOD = Decision(rules.ROLLBACK, "Rolled back: it does worse."), Decision(rules.ENDED_WELL, "It did well.")
pytestmark = pytest.mark.django_db


def promoted(name: str = "flow", at: datetime = PROMOTED, **gate: Any) -> Promotion:
    """Version 2 took over from version 1, and is watched for an hour."""
    application = makers.application(name, learn={"timeout": 60}, gate={"metric": "mae", "bake": 3600, **gate})
    makers.promotion(makers.model_version(application, 1), at=at - timedelta(days=1))
    row = makers.promotion(makers.model_version(application, 2), at=at, bakes_until=at + timedelta(hours=1))
    Application.objects.filter(pk=application.pk).update(baking=row)
    return baking.watched()[0] if Promotion.objects.filter(bakes_until__isnull=False).count() == 1 else row


def ran(promotion: Promotion, status: str = "succeeded", at: datetime = SOON, **also: Any) -> Execution:
    values = {"model": promotion.model, "created_at": at, "finished_at": at, **also}
    return Execution.objects.create(
        id=new_id(), application=promotion.application, status=status, inputs={}, seed=1, caller="user:1", **values
    )


def judged(promotion: Promotion, label: float, **also: Any) -> Execution:
    """An execution with a label, which is a batch of one sample."""
    made = ran(promotion, **also)
    line = json.dumps({"label": label}).encode() + b"\n"
    number = promotion.application.batches.count() + 1
    batch = makers.batch(
        promotion.application, number, 1, kind="feedback", origin={"execution": str(made.pk)}, digest=files.put(line)
    )
    Execution.objects.filter(pk=made.pk).update(feedback={"label": label, "batch": batch.number})
    return made


def decided(promotion: Promotion, now: datetime, comparison: Comparison | None = None) -> Decision:
    rule = baking.rule_of(promotion)
    assert rule is not None
    return rules.decide(rule, baking.facts(promotion, comparison), now=now)


def live(promotion: Promotion) -> int:
    found = Application.objects.select_related("model").get(pk=promotion.application_id).model
    assert found is not None
    return found.number


def is_watched(promotion: Promotion) -> bool:
    return baking.is_watched(promotion)


def rows(promotion: Promotion) -> list[tuple[str, str, str]]:
    found = Transition.objects.filter(application=promotion.application_id, region="model").order_by("id")
    return list(found.values_list("event", "actor", "reason"))


def test_only_its_own_executions_since_the_promotion_count() -> None:
    promotion = promoted()
    for status in ("succeeded", "failed", "failed", "rejected", "cancelled", "expired", "running"):
        ran(promotion, status)
    ran(promotion, "failed", at=PROMOTED - timedelta(seconds=1))
    ran(promotion, "failed", model=promotion.previous)
    ran(promotion, "succeeded", created_at=PROMOTED - timedelta(hours=1))
    counts = baking.facts(promotion, None).counts
    assert (counts.succeeded, counts.failed) == (2, 2)


def test_too_many_failures_bring_the_version_before_back() -> None:
    promotion = promoted(bake_executions=4)
    for status in ("succeeded", "failed", "failed"):
        ran(promotion, status)
    assert decided(promotion, SOON).what == rules.GOES_ON
    ran(promotion, "succeeded")
    baking.act(promotion, decided(promotion, SOON), SOON)
    assert live(promotion) == 1 and not is_watched(promotion)
    last = Promotion.objects.order_by("-at").first()
    assert last is not None
    assert (last.kind, last.actor, last.model.number, last.bakes_until) == ("rollback", "bake", 1, None)
    assert last.reason == (
        "Rolled back: 2 of 4 executions of version 2 failed since it was promoted, over the limit of 20 %."
    )
    assert rows(promotion) == [("rollback", "bake", last.reason)]
    assert promotion.model.pk in ModelVersion.objects.filter(state="retired").values_list("pk", flat=True)


def test_it_is_rolled_back_once_however_often_that_is_decided() -> None:
    promotion = promoted()
    for _ in range(3):
        baking.act(promotion, BAD, SOON)
    assert live(promotion) == 1
    assert Promotion.objects.filter(kind="rollback").count() == 1


def test_the_end_of_the_watch_is_on_the_timeline() -> None:
    promotion = promoted()
    for status in ["succeeded"] * 8 + ["failed"]:
        ran(promotion, status)
    baking.act(promotion, decided(promotion, LATER), LATER)
    baking.act(promotion, decided(promotion, LATER), LATER)
    assert live(promotion) == 2 and not is_watched(promotion)
    assert rows(promotion) == [("bake", "bake", "Version 2 was watched for 1 h: 1 of 9 executions failed.")]


def test_what_a_person_did_meanwhile_stands() -> None:
    promotion = promoted()
    models.rollback(application=promotion.application, to=None, by="user:ana", reason="I saw it.", now=SOON)
    for decision in (BAD, GOOD):
        baking.act(promotion, decision, LATER)
    assert [(event, actor) for event, actor, _ in rows(promotion)] == [("rollback", "user:ana")]


def test_while_another_version_is_about_to_take_over_nothing_is_done() -> None:
    promotion = promoted()
    candidate = makers.model_version(promotion.application, 3, parent=promotion.model)
    Application.objects.filter(pk=promotion.application_id).update(upcoming_model=candidate)
    baking.act(promotion, BAD, SOON)
    assert live(promotion) == 2 and is_watched(promotion)


def awake(promotion: Promotion) -> None:
    """A process with the live version serves, so that another one is upcoming until its own process is ready."""
    application = promotion.application
    Application.objects.filter(pk=application.pk).update(service="awake")
    Process.objects.create(
        id=new_id(), application=application, release=application.release, model=promotion.model, state="ready",
        runner=Runner.objects.create(name="here"), started_at=PROMOTED,
    )  # fmt: skip


def test_somebody_who_is_served_is_served_until_the_version_before_is_ready() -> None:
    promotion = promoted()
    awake(promotion)
    for _ in range(2):
        baking.act(promotion, BAD, SOON)
    application = Application.objects.get(pk=promotion.application_id)
    assert (application.upcoming_model_id, live(promotion)) == (promotion.previous_id, 2)
    assert application.promotion["reason"] == BAD.sentence


def test_when_the_version_before_does_not_start_the_new_one_stays_and_the_timeline_says_why() -> None:
    promotion = promoted()
    awake(promotion)
    baking.act(promotion, BAD, SOON)
    fresh = Application.objects.select_related("model", "upcoming_model").get(pk=promotion.application_id)
    models.drop_upcoming(application=fresh, reason="It did not start.", now=SOON)
    baking.act(promotion, BAD, LATER)
    assert live(promotion) == 2 and not is_watched(promotion)
    assert rows(promotion)[-1][2].endswith("But version 1 does not start; version 2 stays.")


def test_a_retired_application_rolls_nothing_back_and_says_so() -> None:
    promotion = promoted()
    Application.objects.filter(pk=promotion.application_id).update(status="retired")
    baking.act(promotion, BAD, SOON)
    assert live(promotion) == 2 and not is_watched(promotion)
    assert "But that is not possible" in rows(promotion)[-1][2]


def test_labels_are_those_of_its_executions_without_what_was_taken_down() -> None:
    promotion = promoted()
    for label in (1.0, 2.0, 3.0):
        judged(promotion, label)
    judged(promotion, 4.0, model=promotion.previous)
    promotion.application.batches.filter(number=2).update(taken_down_at=SOON)
    files.remove(promotion.application.batches.get(number=3).digest)
    assert baking.facts(promotion, None).labels == 2
    assert [json.loads(line.text)["label"] for line in baking.labels(promotion)] == [1.0]


class Evaluations:
    """In the place of evaluating processes: the scores of each version are known beforehand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **scores: float) -> None:
        self.asked: list[tuple[int, int]] = []  # version, samples
        self.failures = 0
        self._scores = scores
        monkeypatch.setattr(learning_process, "assess", self)

    def __call__(self, *, model: ModelVersion, lines: Any, look: Callable[[], None], **rest: Any) -> Assessment:
        look()
        self.asked.append((model.number, len(lines)))
        if self.failures:
            self.failures -= 1
            raise learning_process.Lost("The process is gone.", counts=True)
        score = self._scores[f"version_{model.number}"]
        return Assessment({"mae": score}, [score] * len(lines))


@pytest.fixture
def loop(transactional_db: None) -> Baking:
    runner = Runner.objects.create(name="here")
    made = Baking(cast(Any, None), lambda: runner)
    made._is_first = False
    return made


def tick_until(loop: Baking, is_so: Callable[[], object]) -> None:
    def ticked() -> object:
        loop.tick()
        return is_so()

    until(ticked)


def recent() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def test_labels_that_say_worse_bring_the_version_before_back(loop: Baking, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = Evaluations(monkeypatch, version_1=1.0, version_2=2.0)
    promotion = promoted(at=recent(), bake_feedback=3)
    for label in range(3):
        judged(promotion, label, at=datetime.now(UTC))
    tick_until(loop, lambda: not is_watched(promotion))
    assert live(promotion) == 1 and evaluations.asked == [(2, 3), (1, 3)]
    assert "on 3 labels mae of version 2 is 2, 100 % higher than version 1 (1)" in rows(promotion)[0][2]


def test_labels_that_say_better_are_compared_once_and_told_at_the_end(
    loop: Baking, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluations = Evaluations(monkeypatch, version_1=2.0, version_2=1.0)
    promotion = promoted(at=recent(), bake_feedback=3)
    for label in range(3):
        judged(promotion, label, at=datetime.now(UTC))
    tick_until(loop, lambda: len(evaluations.asked) == 2 and loop._known[promotion.pk].comparison)
    Promotion.objects.filter(pk=promotion.pk).update(bakes_until=datetime.now(UTC))
    tick_until(loop, lambda: not is_watched(promotion))
    assert live(promotion) == 2 and len(evaluations.asked) == 2
    assert rows(promotion)[-1][2].endswith("on 3 labels mae of version 2 is 1, 50 % lower than version 1 (2).")


def test_a_new_appcore_finds_out_again_what_one_that_died_had_decided(
    loop: Baking, monkeypatch: pytest.MonkeyPatch
) -> None:
    Evaluations(monkeypatch, version_1=1.0, version_2=2.0)
    promotion = promoted(at=recent(), bake_feedback=3)
    for label in range(3):
        judged(promotion, label, at=datetime.now(UTC))
    with monkeypatch.context() as dying:
        dying.setattr(baking, "act", lambda *_: None)
        tick_until(loop, lambda: (loop._known[promotion.pk].comparison or Comparison(0, False, "")).is_worse)
    runner = Runner.objects.get()
    reborn = Baking(cast(Any, None), lambda: runner)
    tick_until(reborn, lambda: not is_watched(promotion))
    tick_until(loop, lambda: True)
    assert live(promotion) == 1 and Promotion.objects.filter(kind="rollback").count() == 1


def test_labels_that_cannot_be_compared_end_the_watch_with_the_reason(
    loop: Baking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovd_saas.appcore.loops.baking.RETRY_SECONDS", 0.0)
    Evaluations(monkeypatch).failures = 99
    promotion = promoted(at=recent(), bake_feedback=2)
    Promotion.objects.filter(pk=promotion.pk).update(bakes_until=datetime.now(UTC))
    for label in range(2):
        judged(promotion, label, at=datetime.now(UTC))
    tick_until(loop, lambda: not is_watched(promotion))
    assert rows(promotion)[-1][2].endswith("its 2 labels could not be compared (The process is gone.).")


def test_a_release_without_a_gate_ends_the_watch(loop: Baking) -> None:
    promotion = promoted(at=recent())
    release = promotion.application.release
    assert release is not None
    type(release).objects.filter(pk=release.pk).update(manifest={"gate": None})
    tick_until(loop, lambda: not is_watched(promotion))
    assert "has no gate" in rows(promotion)[-1][2]


def test_many_versions_are_watched_side_by_side(loop: Baking) -> None:
    bad, good = promoted("bad", at=recent(), bake_executions=1), promoted("good", at=recent(), bake_executions=1)
    ran(bad, "failed", at=datetime.now(UTC))
    ran(good, at=datetime.now(UTC))
    tick_until(loop, lambda: not is_watched(bad))
    assert (live(bad), live(good), is_watched(good)) == (1, 2, True)


def test_real_processes_compare_both_versions_on_what_people_said(core: Core) -> None:
    stage = Stage(core, gate={"minimum_improvement": -100, "bake": 3600, "bake_feedback": 4})
    loop = Baking(core.runner.engine, core.watching.runner)
    try:
        stage.feed(2, 2, 2, 2)
        assert stage.learn().status == "promoted"
        stage.feed(*[20] * 8)
        assert stage.learn().status == "promoted"
        [promotion] = baking.watched()
        assert promotion.model.number == 2
        for _ in range(4):
            made = ran(promotion, at=datetime.now(UTC))
            batch = stage.feed(2)
            type(batch).objects.filter(pk=batch.pk).update(kind="feedback", origin={"execution": str(made.pk)})
            Execution.objects.filter(pk=made.pk).update(feedback={"label": 2, "batch": batch.number})
        tick_until(loop, lambda: not is_watched(promotion))
        assert live(promotion) == 1
        assert "on 4 labels mae of version 2 is " in rows(promotion)[-1][2]
        until(lambda: not Process.objects.exclude(state="ended").exists())
    finally:
        stage.loop.stop()
        loop.stop()


def test_an_appcore_ends_the_comparing_processes_of_one_that_died(core: Core) -> None:
    stage = Stage(core)
    stage.loop.stop()
    runner = core.watching.runner()
    assert runner is not None and stage.application.release is not None
    learning_process.LearningProcess.start(
        engine=core.runner.engine, runner=runner, application=stage.application, release=stage.application.release,
        model=None, run=None, kind="evaluate",
    )  # fmt: skip
    assert Process.objects.exclude(state="ended").count() == 1
    Baking(core.runner.engine, core.watching.runner).tick()
    until(lambda: not Process.objects.exclude(state="ended").exists())
