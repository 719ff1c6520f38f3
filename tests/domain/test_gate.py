"""The gate: passed or rejected, and why."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import gate
from ovd_saas.domain.gate import Assessment, Rule, Verdict

MAE = Rule("mae")
ACCURACY = Rule("accuracy", direction="max")
scores = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=25)


def judged(rule: Rule, candidate: Assessment, active: Assessment | None = None, size: int = 1000) -> Verdict:
    return gate.judge(rule, candidate=candidate, active=active, size=size, active_name="version 3")


def scored(values: list[float], metric: str = "mae") -> Assessment:
    return Assessment({metric: math.fsum(values) / len(values)}, values)


@given(scores, st.floats(-5, 5), st.sampled_from(["min", "max"]), st.floats(0.5, 0.999))
@settings(deadline=None)
def test_a_verdict_never_contradicts_its_interval(
    pairs: list[tuple[float, float]], minimum: float, direction: str, confidence: float
) -> None:
    rule = Rule("mae", direction=direction, minimum_improvement=minimum, confidence=confidence)
    verdict = judged(rule, scored([pair[0] for pair in pairs]), scored([pair[1] for pair in pairs]))
    low, high = verdict.document["interval"]
    assert low <= high
    if verdict.passed:
        assert low >= minimum and verdict.document["improvement"] >= minimum
    if low >= minimum + 1e-6:
        assert verdict.passed
    assert verdict.sentence.startswith("Passed: " if verdict.passed else "Rejected: ")
    assert json.loads(json.dumps(verdict.document, allow_nan=False)) == verdict.document


@given(scores)
@settings(deadline=None)
def test_turning_all_signs_and_the_direction_changes_nothing(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    smaller = judged(MAE, scored(ours), scored(theirs))
    larger = judged(
        Rule("mae", direction="max"), scored([-score for score in ours]), scored([-score for score in theirs])
    )
    assert (smaller.passed, smaller.document["improvement"]) == (larger.passed, larger.document["improvement"])
    assert smaller.document["interval"] == larger.document["interval"]


@given(scores)
@settings(deadline=None)
def test_a_version_is_never_worse_than_itself(pairs: list[tuple[float, float]]) -> None:
    same = scored([pair[0] for pair in pairs])
    verdict = judged(MAE, same, same)
    assert verdict.passed and verdict.document["interval"] == [0, 0] and "the same as version 3" in verdict.sentence


def test_a_clear_improvement_is_said_in_one_sentence() -> None:
    worse = [0.4, 0.5, 0.45, 0.42, 0.48] * 20
    verdict = judged(MAE, scored([score - 0.03 - 0.01 * (at % 2) for at, score in enumerate(worse)]), scored(worse))
    assert verdict.passed
    assert verdict.sentence == (
        "Passed: mae is 0.415, 7.8 % lower than version 3 (0.45); "
        "with 95 % confidence the improvement is between 0.034 and 0.036."
    )
    assert verdict.document["compared_with"] == "version 3" and verdict.document["samples"] == 100


def test_an_improvement_that_may_be_chance_is_rejected() -> None:
    better, worse = [0.1, 0.9, 0.4, 0.6], [0.6, 0.4, 0.9, 0.3]
    verdict = judged(MAE, scored(better), scored(worse))
    assert not verdict.passed
    assert verdict.sentence.startswith("Rejected: mae is 0.5, 9.1 % lower than version 3 (0.55); with 95 % confidence")
    assert verdict.sentence.endswith("its lower end must be at least 0.")


def test_a_little_worse_passes_where_the_manifest_allows_it() -> None:
    ours, theirs = [0.51, 0.52, 0.50], [0.5, 0.5, 0.5]
    assert not judged(MAE, scored(ours), scored(theirs)).passed
    verdict = judged(Rule("mae", minimum_improvement=-0.05), scored(ours), scored(theirs))
    assert verdict.passed and verdict.sentence.endswith("at least -0.05 is asked for.")


@pytest.mark.parametrize(("ours", "passes"), [(0.9, True), (0.95, True), (0.85, False)])
def test_without_scores_the_metric_alone_decides(ours: float, passes: bool) -> None:
    verdict = judged(ACCURACY, Assessment({"accuracy": ours}), Assessment({"accuracy": 0.9}))
    assert verdict.passed is passes
    assert verdict.document["interval"] is None
    assert "there is no interval, as evaluate gave no scores" in verdict.sentence
    assert passes or verdict.sentence.endswith("it must not be lower.")


@pytest.mark.parametrize(("ours", "passes"), [(0.4, True), (0.400001, False)])
def test_the_last_digit_of_a_computer_does_not_decide(ours: float, passes: bool) -> None:
    rule = Rule("mae", minimum_improvement=0.05)  # 0.45 - 0.4 is 0.04999999999999999 in binary
    verdict = judged(rule, Assessment({"mae": ours}), Assessment({"mae": 0.45}))
    assert verdict.passed is passes
    assert passes or verdict.sentence.endswith("it must improve by at least 0.05.")


def test_scores_of_different_lengths_make_no_pairs() -> None:
    verdict = judged(MAE, scored([0.1, 0.2, 0.3]), scored([0.5, 0.5]))
    assert verdict.passed and verdict.document["interval"] is None
    assert "3 scores against 2" in verdict.sentence


def test_one_sample_tells_no_spread() -> None:
    verdict = judged(MAE, scored([0.1]), scored([0.5]))
    assert verdict.passed and verdict.document["interval"] is None and "one sample" in verdict.sentence


def test_scores_that_are_not_the_metric_are_told_apart() -> None:
    ours, theirs = [1.0, 4.0, 1.0, 4.0], [4.0, 9.0, 4.0, 9.0]
    rmse = Rule("rmse")
    verdict = judged(rmse, Assessment({"rmse": 2.5**0.5}, ours), Assessment({"rmse": 6.5**0.5}, theirs))
    assert verdict.passed and "the improvement of the mean score is between" in verdict.sentence
    contradicting = judged(rmse, Assessment({"rmse": 9.0}, ours), Assessment({"rmse": 2.0}, theirs))
    assert not contradicting.passed and contradicting.sentence.endswith("it must not be higher.")


def test_the_first_version_passes_when_it_was_measured_and_says_that_nothing_was_compared() -> None:
    verdict = judged(MAE, scored([0.4, 0.5]))
    assert verdict.passed
    assert verdict.sentence == "Passed: mae is 0.45; there is no active version to compare it with."
    assert verdict.document["compared_with"] is None and verdict.document["improvement"] is None


def test_a_metric_that_is_missing_is_named_with_those_there_are() -> None:
    verdict = judged(MAE, Assessment({"rmse": 1.0, "bias": 0.0}), Assessment({"mae": 1.0}))
    assert not verdict.passed and '"mae" for the candidate (metrics: bias, rmse)' in verdict.sentence
    other = judged(MAE, Assessment({"mae": 1.0}), Assessment({}))
    assert not other.passed and '"mae" for version 3 (metrics: none)' in other.sentence


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_is_no_finite_number_never_passes(value: float, direction: str) -> None:
    rule, good = Rule("mae", direction=direction), scored([1.0, 2.0])
    bad_score = Assessment({"mae": 1.0}, [1.0, value])
    for candidate, active in [
        (Assessment({"mae": value}), good),
        (Assessment({"mae": value}), None),
        (good, Assessment({"mae": value})),
        (bad_score, good),
        (good, bad_score),
    ]:
        verdict = judged(rule, candidate, active)
        assert not verdict.passed and "no finite number" in verdict.sentence
        json.dumps(verdict.document, allow_nan=False)


@pytest.mark.parametrize("active", [None, Assessment({"mae": 0.0}, [])])
def test_a_holdout_without_samples_proves_nothing(active: Assessment | None) -> None:
    for empty in (Assessment({"mae": 0.0}, []), Assessment({"mae": 0.0}, samples=0)):
        verdict = judged(MAE, empty, active)
        assert not verdict.passed and "the holdout has no samples" in verdict.sentence


def test_a_model_that_is_too_large_or_too_slow_is_rejected_with_both_figures() -> None:
    rule = Rule("mae", max_size_mb=2, max_seconds=0.5)
    good, slow = Assessment({"mae": 1.0}, execution_seconds=0.5), Assessment({"mae": 1.0}, execution_seconds=0.75)
    assert judged(rule, good, size=2_000_000).passed
    verdict = judged(rule, slow, size=3_100_000)
    assert not verdict.passed
    assert "the model has 3.1 MB, over the limit of 2 MB" in verdict.sentence
    assert "an execution takes 0.75 s, over the limit of 0.5 s" in verdict.sentence
    assert verdict.document["limits"] == {
        "size_mb": {"value": 3.1, "limit": 2},
        "seconds": {"value": 0.75, "limit": 0.5},
    }


def test_a_limit_that_cannot_be_checked_is_not_passed() -> None:
    verdict = judged(Rule("mae", max_seconds=0.5), Assessment({"mae": 1.0}))
    assert not verdict.passed and "could not be checked, as the release has no samples to time" in verdict.sentence


def test_failing_on_a_sample_that_the_active_version_can_do_is_a_fault() -> None:
    ours = Assessment({"mae": 1.0}, failed_samples=("night", "storm"))
    assert "it fails on the sample storm" in judged(MAE, ours, Assessment({"mae": 2.0}, None, 0.1, ("night",))).sentence
    assert judged(MAE, ours, Assessment({"mae": 2.0}, failed_samples=("night", "storm"))).passed
    assert not judged(MAE, ours).passed


def test_the_rule_is_read_from_the_manifest_whatever_else_stands_there() -> None:
    table: dict[str, Any] = {"metric": "mae", "direction": "max", "confidence": 0.9, "approve": "manual", "bake": 60}
    assert gate.rule_of(table) == Rule("mae", "max", 0.0, 0.9)
    with pytest.raises(ValueError, match="names no metric"):
        gate.rule_of(None)


def test_what_people_compare_has_all_metrics_of_both_and_pairs_of_scores() -> None:
    ours = Assessment({"mae": 1.0, "rmse": 2.0}, scores=[1.0, 2.0, 3.0, math.nan])
    theirs = Assessment({"mae": 1.5, "bias": 0.1}, scores=[1.0, 1.0, 4.0, 1.0])
    found = gate.compared(ours, theirs)
    assert found["metrics"] == {"mae": [1.0, 1.5], "rmse": [2.0, None], "bias": [None, 0.1]}
    assert found["scores"] == [[1.0, 1.0], [2.0, 1.0], [3.0, 4.0]]
    assert (found["higher"], found["equal"], found["lower"]) == (1, 1, 1)
    assert "scores" not in gate.compared(ours, None)


def test_of_many_scores_some_are_kept_and_all_are_counted() -> None:
    many = [float(one) for one in range(1000)]
    found = gate.compared(Assessment({}, scores=many), Assessment({}, scores=[one + 1 for one in many]))
    assert len(found["scores"]) == gate.MOST_SCORES
    assert (found["lower"], found["scores"][0]) == (1000, [0.0, 1.0])
