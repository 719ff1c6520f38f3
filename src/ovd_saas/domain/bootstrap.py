"""The bootstrap: how sure one can be of a mean, from the values themselves. Floor 0: pure.

B. Efron and R. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993: the percentile interval (chapter 13)
of the mean of paired differences (chapter 8: what belongs together is drawn together).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RESAMPLES = 2000
SEED = 20_260_301  # fixed, so that the same scores give the same verdict
MOST_UNITS = 100_000  # drawn one by one; of more values, neighbours are drawn together
BLOCK = 2_000_000  # indices drawn at once: 16 MB of values


@dataclass(frozen=True)
class Interval:
    """Where the mean lies, with `confidence`; low ≤ mean ≤ high."""

    low: float
    high: float
    mean: float  # of the values
    confidence: float  # 0..1, two-sided
    samples: int  # values it is made of


def paired(
    better: Sequence[float], worse: Sequence[float], *, confidence: float, resamples: int = RESAMPLES
) -> Interval | None:
    """The interval of the mean of `better[i] - worse[i]`; None for fewer than two pairs, which tell no spread.

    Takes at most some seconds and some ten megabytes beside the scores. Of more than `MOST_UNITS` pairs, equally long
    groups of neighbours are drawn instead of single ones: the variance of their mean is the same, and neighbours that
    resemble each other are respected (E. Carlstein, Annals of Statistics 14, 1986). Raises ValueError for scores of
    different lengths.
    """
    import numpy as np  # here, as the idle platform does without it

    if len(better) != len(worse):
        raise ValueError(f"{len(better)} scores cannot be paired with {len(worse)}.")
    if len(better) < 2:
        return None
    differences = np.asarray(better, dtype=float) - np.asarray(worse, dtype=float)
    mean = float(differences.mean())
    if float(differences.min()) == float(differences.max()):
        low = high = mean = float(differences[0])
    else:
        tail = (1 - confidence) / 2
        low, high = (float(end) for end in np.quantile(_means(differences, resamples), [tail, 1 - tail]))
    return Interval(min(low, mean), max(high, mean), mean, confidence, len(better))


def _means(values: Any, resamples: int) -> Any:
    """The means of so many resamples, drawn with replacement, some at a time."""
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(SEED))
    sums, sizes = _units(values)
    units = len(sums)
    at_once = max(1, BLOCK // units)
    means = np.empty(resamples)
    for begin in range(0, resamples, at_once):
        count = min(at_once, resamples - begin)
        drawn = generator.integers(0, units, size=(count, units), dtype=np.int32)
        total = np.take(sums, drawn).sum(axis=1)
        number = units if sizes is None else np.take(sizes, drawn).sum(axis=1)
        means[begin : begin + count] = total / number
    return means


def _units(values: Any) -> tuple[Any, Any]:
    """What is drawn: sums of values and how many each is of; None when each is of one."""
    import numpy as np

    if len(values) <= MOST_UNITS:
        return values, None
    begins = np.arange(MOST_UNITS, dtype=np.int64) * len(values) // MOST_UNITS
    return np.add.reduceat(values, begins), np.diff(begins, append=len(values))
