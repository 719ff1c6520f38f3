"""Baking: whether a version that was just promoted stays live."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import baking
from ovd_saas.domain.baking import ENDED_WELL, GOES_ON, ROLLBACK, Comparison, Counts, Rule, Watch
from ovd_saas.domain.gate import Assessment
from ovd_saas.domain.gate import Rule as Gate

RULE = Rule(Gate("mae"))
PROMOTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = PROMOTED + timedelta(hours=1)
BEFORE, AFTER = UNTIL - timedelta(seconds=1), UNTIL


def watch(succeeded: int = 0, failed: int = 0, labels: int = 0, comparison: Comparison | None = None) -> Watch:
    return Watch("version 4", PROMOTED, UNTIL, Counts(succeeded, failed), labels, comparison)


@given(st.integers(0, 500), st.integers(0, 500), st.booleans())
@settings(deadline=None)
def test_what_is_decided_follows_from_rate_and_number_of_executions(succeeded: int, failed: int, is_over: bool) -> None:
    decision = baking.decide(RULE, watch(succeeded, failed), now=AFTER if is_over else BEFORE)
    is_bad = succeeded + failed >= RULE.executions and failed / (succeeded + failed) > RULE.error_rate
    assert decision.what == (ROLLBACK if is_bad else ENDED_WELL if is_over else GOES_ON)
    assert bool(decision.sentence) == (decision.what != GOES_ON)


def test_the_rate_itself_is_still_allowed() -> None:
    assert baking.decide(RULE, watch(8, 2), now=BEFORE).what == GOES_ON
    decision = baking.decide(RULE, watch(7, 3), now=BEFORE)
    assert decision.sentence == (
        "Rolled back: 3 of 10 executions of version 4 failed since it was promoted, over the limit of 20 %."
    )


def test_a_version_that_stood_its_time_says_what_it_did() -> None:
    decision = baking.decide(RULE, watch(178, 2), now=AFTER)
    assert decision.sentence == "Version 4 was watched for 1 h: 2 of 180 executions failed."
    assert "nobody used it" in baking.decide(RULE, watch(), now=AFTER).sentence


@pytest.mark.parametrize(
    ("length", "said"), [(30, "30 s"), (90, "1.5 min"), (3600, "1 h"), (86_400, "24 h"), (259_200, "3 days")]
)
def test_the_time_is_said_as_people_do(length: int, said: str) -> None:
    watched = Watch("version 4", PROMOTED, PROMOTED + timedelta(seconds=length), Counts(1, 0))
    assert f"for {said}:" in baking.decide(RULE, watched, now=watched.until).sentence


def test_a_worse_comparison_rolls_back_and_a_good_one_is_told_at_the_end() -> None:
    worse, fine = Comparison(20, True, "on 20 labels it is worse"), Comparison(20, False, "on 20 labels it is fine")
    decision = baking.decide(RULE, watch(labels=20, comparison=worse), now=BEFORE)
    assert (decision.what, decision.sentence) == (ROLLBACK, "Rolled back: on 20 labels it is worse.")
    decision = baking.decide(RULE, watch(9, labels=20, comparison=fine), now=AFTER)
    assert (decision.what, decision.sentence[-25:]) == (ENDED_WELL, " on 20 labels it is fine.")


def test_labels_are_compared_when_enough_arrived_then_with_half_as_many_more_and_at_the_end() -> None:
    def is_due(labels: int, compared: int | None, now: datetime = BEFORE) -> bool:
        before = None if compared is None else Comparison(compared, False, "")
        return baking.is_comparison_due(RULE, watch(labels=labels, comparison=before), now=now)

    assert [is_due(19, None), is_due(20, None)] == [False, True]
    assert [is_due(29, 20), is_due(30, 20)] == [False, True]
    assert [is_due(20, 20, AFTER), is_due(21, 20, AFTER), is_due(19, None, AFTER)] == [False, True, False]


def test_the_watch_does_not_end_before_the_last_labels_are_compared() -> None:
    assert baking.decide(RULE, watch(labels=25, comparison=Comparison(20, False, "")), now=AFTER).what == GOES_ON
    assert baking.decide(RULE, watch(labels=25, comparison=Comparison(25, False, "x")), now=AFTER).what == ENDED_WELL


def scored(scores: list[float]) -> Assessment:
    return Assessment({"mae": sum(scores) / len(scores)}, scores)


def noisy(seed: int, count: int, mean: float) -> list[float]:
    return np.abs(np.random.default_rng(seed).normal(mean, 0.1, count)).tolist()


def compared(current: Assessment, previous: Assessment, labels: int = 20, rule: Rule = RULE) -> Comparison:
    return baking.compare(
        rule, labels=labels, current=current, previous=previous, version="version 4", before="version 3"
    )


def test_a_clearly_worse_version_is_told_from_one_that_is_as_good() -> None:
    found = compared(scored(noisy(1, 20, 2.0)), scored(noisy(2, 20, 1.0)))
    assert found.is_worse and found.sentence.startswith("on 20 labels mae of version 4 is ")
    assert "97.5 % confidence going back improves it by " in found.sentence
    assert not compared(scored(noisy(1, 20, 1.0)), scored(noisy(2, 20, 1.0))).is_worse
    assert not compared(scored(noisy(1, 20, 1.0)), scored(noisy(2, 20, 2.0))).is_worse


def test_a_larger_metric_may_be_the_better_one() -> None:
    rule = Rule(Gate("accuracy", direction="max"))
    bad, good = Assessment({"accuracy": 0.2}, [0.0, 1.0, 0, 0, 0] * 5), Assessment({"accuracy": 1.0}, [1.0] * 25)
    assert compared(bad, good, 25, rule).is_worse and not compared(good, bad, 25, rule).is_worse


def test_the_same_scores_are_never_worse() -> None:
    same = scored(noisy(1, 30, 1.0))
    found = compared(same, same)
    assert not found.is_worse and "the same as version 3" in found.sentence


def test_of_equal_versions_few_are_rolled_back_however_often_it_is_looked() -> None:
    rolled_back = 0
    for seed in range(200):
        ours, theirs = noisy(2 * seed, 152, 1.0), noisy(2 * seed + 1, 152, 1.0)
        looks = (compared(scored(ours[:n]), scored(theirs[:n]), n) for n in (20, 30, 45, 68, 102, 152))
        rolled_back += any(look.is_worse for look in looks)
    assert rolled_back / 200 <= 0.06


@pytest.mark.parametrize(("ours", "is_worse"), [(1.05, False), (1.2, True), (0.5, False)])
def test_without_scores_the_metric_has_to_be_worse_by_a_tenth(ours: float, is_worse: bool) -> None:
    assert compared(Assessment({"mae": ours}), Assessment({"mae": 1.0})).is_worse is is_worse


def test_what_cannot_be_compared_is_not_worse_and_says_so() -> None:
    for current in (Assessment({}), Assessment({"mae": float("nan")})):
        found = compared(current, Assessment({"mae": 1.0}))
        assert not found.is_worse and "could not be compared" in found.sentence


def test_the_rule_is_read_from_the_table_of_the_gate() -> None:
    table = {"metric": "mae", "confidence": 0.9, "bake": 60, "bake_error_rate": 0.5, "bake_feedback": 3}
    assert baking.rule_of(table) == Rule(Gate("mae", confidence=0.9), 0.5, 5, 3)
