"""Divergences: textbook values, and how far chance brings them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovd_saas.domain import divergences

counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=20)


@given(counts)
@settings(deadline=None)
def test_equal_shares_are_no_distance_apart_and_none_is_negative(pairs: list[tuple[int, int]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert divergences.psi(first, first) == divergences.jensen_shannon(first, first) == 0
    assert divergences.kolmogorov_smirnov(first, first) == 0
    assert divergences.psi(first, second) >= 0
    if sum(first) and sum(second):
        assert 0 <= divergences.jensen_shannon(first, second) <= 1
        assert 0 <= divergences.kolmogorov_smirnov(first, second) <= 1 + 1e-12


@given(counts)
@settings(deadline=None)
def test_all_are_symmetric(pairs: list[tuple[int, int]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for measure in (divergences.psi, divergences.jensen_shannon, divergences.kolmogorov_smirnov):
        assert measure(first, second) == pytest.approx(measure(second, first), abs=1e-9)


def test_values_from_the_textbooks() -> None:
    assert divergences.kolmogorov_smirnov([50, 50], [100, 0]) == 0.5
    assert divergences.jensen_shannon([1, 0], [0, 1]) == 1
    assert divergences.jensen_shannon([50, 50], [75, 25]) == pytest.approx(0.2209, abs=1e-4)
    large = [5_000_000, 5_000_000], [7_500_000, 2_500_000]
    assert divergences.psi(*large) == pytest.approx(0.25 * math.log(1.5) + 0.25 * math.log(2), abs=1e-4)


@pytest.mark.parametrize(("degrees", "alpha", "value"), [(1, 0.05, 3.841), (9, 0.01, 21.666), (4, 0.001, 18.467)])
def test_chi_square_is_as_in_the_tables(degrees: int, alpha: float, value: float) -> None:
    assert divergences.chi_square(degrees, alpha=alpha) == pytest.approx(value, rel=0.03)


def test_chance_goes_over_the_bounds_about_as_rarely_as_they_say() -> None:
    generator, alpha, trials = np.random.default_rng(1), 0.05, 2000
    shares, reference, samples = [0.1] * 10, 1000, 300
    pairs = [
        (generator.multinomial(reference, shares).tolist(), generator.multinomial(samples, shares).tolist())
        for _ in range(trials)
    ]
    over_psi = sum(
        divergences.psi(*pair) > divergences.psi_by_chance(10, reference, samples, alpha=alpha) for pair in pairs
    )
    over_js = sum(
        divergences.jensen_shannon(*pair) > divergences.js_by_chance(10, reference, samples, alpha=alpha)
        for pair in pairs
    )
    over_ks = sum(
        divergences.kolmogorov_smirnov(*pair) > divergences.ks_by_chance(reference, samples, alpha=alpha)
        for pair in pairs
    )
    assert 0.03 <= over_psi / trials <= 0.08
    assert 0.03 <= over_js / trials <= 0.08
    assert over_ks / trials <= 0.05  # values repeat: on the safe side


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("samples", [20, 500])
def test_a_share_seldom_rises_over_its_bound_by_chance_however_rare_it_is(share: float, samples: int) -> None:
    generator, trials, alpha = np.random.default_rng(2), 20_000, 0.01
    before, now = generator.binomial(1000, share, trials) / 1000, generator.binomial(samples, share, trials) / samples
    bounds = {each: divergences.increase_by_chance(each, 1000, samples, alpha=alpha) for each in set(before.tolist())}
    over = [rise > bounds[each] for each, rise in zip(before.tolist(), (now - before).tolist(), strict=True)]
    assert sum(over) / trials <= alpha
    assert divergences.increase_by_chance(share, 1e9, 1e9, alpha=alpha) < 0.001
