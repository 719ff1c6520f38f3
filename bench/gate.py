"""How often the gate lets through what is no better, and how often what is, with fixed seeds. Prints Markdown.

    .venv/bin/python bench/gate.py [--repetitions 400]

No platform: what is measured is `domain/gate.py` at a confidence of 95 % and a minimum improvement of 0. The scores of
the active version are drawn; those of the candidate are the same plus noise less the improvement, which is told in
deviations of the noise.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from ovd_saas.domain import gate

HOLDOUTS = (10, 30, 100, 1000)
IMPROVEMENTS = (0.0, 0.1, 0.3, 0.5)
RULE = gate.Rule("mae")


def normal(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.normal(0, 1, count)


def skewed(generator: np.random.Generator, count: int) -> np.ndarray:
    """A few samples tell most: logarithms are normal; mean 0, deviation 1."""
    values = generator.lognormal(0, 1, count)
    return (values - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)


def remembering(generator: np.random.Generator, count: int) -> np.ndarray:
    """Each sample resembles the one before by 0.7, as hours do."""
    noise, values = generator.normal(0, np.sqrt(1 - 0.7**2), count), np.empty(count)
    last = generator.normal()
    for at in range(count):
        values[at] = last = 0.7 * last + noise[at]
    return values


NOISES: tuple[tuple[str, Callable[[np.random.Generator, int], np.ndarray]], ...] = (
    ("normal", normal),
    ("skewed", skewed),
    ("neighbours alike (0.7)", remembering),
)


def passes(noise: Callable[[np.random.Generator, int], np.ndarray], count: int, improvement: float, seed: int) -> bool:
    generator = np.random.default_rng([seed, count])
    active = 10 + generator.normal(0, 3, count)
    candidate = active + noise(generator, count) - improvement
    both = [gate.Assessment({"mae": float(scores.mean())}, scores.tolist()) for scores in (candidate, active)]
    return gate.judge(RULE, candidate=both[0], active=both[1], size=0, active_name="version 1").passed


def table(repetitions: int) -> list[str]:
    lines = ["| noise | samples | " + " | ".join(f"{improvement:g}" for improvement in IMPROVEMENTS) + " |",
             "|---|---|" + "---|" * len(IMPROVEMENTS)]  # fmt: skip
    for name, noise in NOISES:
        for count in HOLDOUTS:
            shares = [
                sum(passes(noise, count, improvement, seed) for seed in range(repetitions)) / repetitions
                for improvement in IMPROVEMENTS
            ]
            lines.append(f"| {name} | {count:,} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400)
    print("\n".join(table(parser.parse_args().repetitions)))


if __name__ == "__main__":
    main()
