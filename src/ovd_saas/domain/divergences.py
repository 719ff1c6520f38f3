"""Divergences: how far apart two samples of a value are, and how far chance alone brings them. Floor 0: pure.

Counts are of the same cells in both: `reference` is what is usual, `counts` is what is looked at. Each measure has a
bound that chance exceeds with probability `alpha` although both come from the same source, so that few samples raise
no alarm; `reference` and `samples` there are how many independent samples they are worth. The bounds are asymptotic;
`bench/drift.py` measures what becomes of them.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

HALF = 0.5  # added to each cell of the PSI, so that an empty one gives no infinity (Jeffreys' prior)


def psi(reference: Sequence[int], counts: Sequence[int]) -> float:
    """Population stability index, Σ (q − p) ln(q / p): 0 or more; 0.1 is called small and 0.25 large.

    It is Jeffreys' divergence, J. N. Crook et al. and N. Siddiqi (Credit Risk Scorecards, Wiley 2006) for the limits.
    """
    ps, qs = _shares(reference, HALF), _shares(counts, HALF)
    return sum((q - p) * math.log(q / p) for p, q in zip(ps, qs, strict=True))


def psi_by_chance(cells: int, reference: float, samples: float, *, alpha: float) -> float:
    """Its bound: as a χ² with `cells - 1` degrees of freedom times 1/n + 1/m (B. Yurdakul, J. Naranjo, Statistical
    properties of the population stability index, Journal of Risk Model Validation 14, 2020)."""
    return chi_square(max(1, cells - 1), alpha=alpha) * (1 / reference + 1 / samples)


def kolmogorov_smirnov(reference: Sequence[int], counts: Sequence[int]) -> float:
    """The largest distance of the two distribution functions, 0 to 1, over cells in ascending order."""
    first, second = sum(reference) or 1, sum(counts) or 1
    both = zip(accumulate(reference), accumulate(counts), strict=True)
    return max((abs(f / first - g / second) for f, g in both), default=0.0)


def ks_by_chance(reference: float, samples: float, *, alpha: float) -> float:
    """Its bound, c(α) √((n + m) / nm) with c(α) = √(−½ ln(α/2)) (N. Smirnov, Annals of Mathematical Statistics 19,
    1948); too large for values that repeat, so on the safe side."""
    return math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt(1 / reference + 1 / samples)


def jensen_shannon(reference: Sequence[int], counts: Sequence[int]) -> float:
    """The Jensen–Shannon distance, 0 to 1: the square root of the divergence in bits (J. Lin, IEEE Transactions on
    Information Theory 37, 1991; that the root is a metric: D. Endres, J. Schindelin, ibid. 49, 2003)."""
    divergence = 0.0
    for p, q in zip(_shares(reference), _shares(counts), strict=True):
        middle = (p + q) / 2
        divergence += sum(share / 2 * math.log2(share / middle) for share in (p, q) if share > 0)
    return math.sqrt(min(1.0, max(0.0, divergence)))


def js_by_chance(cells: int, reference: float, samples: float, *, alpha: float) -> float:
    """Its bound: near zero, 8 ln 2 times the divergence is Pearson's Σ (q − p)² / p (Lin 1991), which is a χ² with
    `cells - 1` degrees of freedom times 1/n + 1/m."""
    square = chi_square(max(1, cells - 1), alpha=alpha) * (1 / reference + 1 / samples)
    return min(1.0, math.sqrt(square / (8 * math.log(2))))


def increase_by_chance(share: float, reference: float, samples: float, *, alpha: float) -> float:
    """How much larger than in the reference a share may be in the samples: by the inequality of Chernoff (1952) and
    Hoeffding (1963), P(q or more) ≤ exp(−n KL(q ‖ p)), half of alpha for each side; holds also for rare values."""
    evidence = math.log(2 / alpha)
    largest = _away(share, evidence / reference, lambda p: _relative_entropy(share, p))
    return _away(largest, evidence / samples, lambda q: _relative_entropy(q, largest)) - share


def _away(share: float, entropy: float, at: Callable[[float], float]) -> float:
    """The share above the given one where `at`, which grows, reaches this entropy; at most 1."""
    low, high = share, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < entropy else (low, middle)
    return high


def _relative_entropy(q: float, p: float) -> float:
    """KL(q ‖ p) of two coins, in nats."""
    sides = ((q, p), (1 - q, 1 - p))
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in sides if a > 0)


@lru_cache(maxsize=256)
def normal(*, alpha: float) -> float:
    """What a standard normal variable exceeds with probability `alpha`."""
    from statistics import NormalDist  # here, as the idle platform does without it

    return NormalDist().inv_cdf(1 - alpha)


@lru_cache(maxsize=1024)
def chi_square(degrees: int, *, alpha: float) -> float:
    """What a χ² exceeds with probability `alpha`, to about 1 % (E. Wilson, M. Hilferty, PNAS 17, 1931)."""
    spread = 2 / (9 * degrees)
    return degrees * max(0.0, 1 - spread + normal(alpha=alpha) * math.sqrt(spread)) ** 3


def _shares(counts: Sequence[int], added: float = 0.0) -> list[float]:
    total = sum(counts) + added * len(counts)
    return [(count + added) / total if total else 0.0 for count in counts]
