"""The bootstrap: how sure one can be of a mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import bootstrap

finite = st.floats(-1e6, 1e6)


def drawn(seed: int, count: int, mean: float = 0.0) -> list[float]:
    return np.random.default_rng(seed).normal(mean, 1.0, count).tolist()


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=30), st.floats(0.5, 0.999))
@settings(deadline=None)
def test_the_mean_is_always_inside_and_so_are_the_ends_between_the_extremes(
    pairs: list[tuple[float, float]], confidence: float
) -> None:
    better, worse = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = bootstrap.paired(better, worse, confidence=confidence, resamples=200)
    assert found is not None
    differences = [first - second for first, second in pairs]
    rounding = 1e-9 * max(1.0, *map(abs, differences))
    assert min(differences) - rounding <= found.low <= found.mean <= found.high <= max(differences) + rounding


def test_the_same_scores_give_the_same_interval() -> None:
    ours, theirs = drawn(1, 50), drawn(2, 50)
    assert bootstrap.paired(ours, theirs, confidence=0.95) == bootstrap.paired(ours, theirs, confidence=0.95)


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    ours, theirs = drawn(1, 200), drawn(2, 200)
    narrow, wide = (bootstrap.paired(ours, theirs, confidence=confidence) for confidence in (0.8, 0.99))
    assert narrow is not None and wide is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_it_agrees_with_the_normal_interval_where_that_is_right() -> None:
    ours, zeros = drawn(3, 2000, 0.5), [0.0] * 2000
    found = bootstrap.paired(ours, zeros, confidence=0.95)
    assert found is not None
    half = 1.96 * np.std(ours) / np.sqrt(len(ours))
    assert (found.low, found.high) == pytest.approx((np.mean(ours) - half, np.mean(ours) + half), abs=0.15 * half)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = 0.3
    found = [bootstrap.paired(drawn(seed, 60, truth), [0.0] * 60, confidence=0.9, resamples=400) for seed in range(400)]
    held = sum(each is not None and each.low <= truth <= each.high for each in found)
    assert 0.85 <= held / 400 <= 0.95


def test_pairing_sees_what_the_spread_of_all_scores_would_hide() -> None:
    hard_and_easy = drawn(5, 100)
    found = bootstrap.paired([score * 50 + 0.1 for score in hard_and_easy], [score * 50 for score in hard_and_easy],
                             confidence=0.95)  # fmt: skip
    assert found is not None and found.low == pytest.approx(0.1)


def test_fewer_than_two_pairs_tell_no_spread() -> None:
    assert bootstrap.paired([1.0], [0.0], confidence=0.95) is None
    assert bootstrap.paired([], [], confidence=0.95) is None


def test_scores_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="3 scores cannot be paired with 2"):
        bootstrap.paired([1, 2, 3], [1, 2], confidence=0.95)


def test_very_many_scores_are_drawn_in_groups_and_give_the_same_width(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, zeros = drawn(7, 10_007), [0.0] * 10_007
    single = bootstrap.paired(ours, zeros, confidence=0.95)
    monkeypatch.setattr(bootstrap, "MOST_UNITS", 1_000)
    grouped = bootstrap.paired(ours, zeros, confidence=0.95)
    assert single is not None and grouped is not None
    assert grouped.mean == pytest.approx(single.mean)
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.1)
