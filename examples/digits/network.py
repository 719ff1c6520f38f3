"""Network: 64 numbers, one hidden layer, ten probabilities; learned by stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

INPUTS, HIDDEN, CLASSES = 64, 48, 10
EPOCHS = 80
AT_ONCE = 32  # pictures in one step
RATE = 0.1
MOMENTUM = 0.9
DECAY = 1e-4  # of the weights

Weights = list[np.ndarray]  # hidden weights and offsets, output weights and offsets


def fresh(draw: np.random.Generator) -> Weights:
    """Weights to begin with (He et al., 2015)."""
    return [
        draw.normal(0, (2 / INPUTS) ** 0.5, (INPUTS, HIDDEN)),
        np.zeros(HIDDEN),
        draw.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, CLASSES)),
        np.zeros(CLASSES),
    ]


def probabilities(weights: Weights, x: np.ndarray) -> np.ndarray:
    """pictures × CLASSES."""
    return softmax(hidden(weights, x) @ weights[2] + weights[3])


def hidden(weights: Weights, x: np.ndarray) -> np.ndarray:
    """pictures × HIDDEN."""
    return np.maximum(x @ weights[0] + weights[1], 0.0)


def softmax(raw: np.ndarray) -> np.ndarray:
    """Rows that sum to one."""
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


@dataclass
class Lesson:
    """Learning, half done or done."""

    weights: Weights
    speeds: Weights  # momentum
    epoch: int = 0  # that have been done

    def go_on(self, x: np.ndarray, y: np.ndarray, seed: int) -> Iterator[float]:
        """Does the epochs that are left; yields the mean loss of each. What is drawn depends on seed and epoch alone,
        so that learning that was interrupted ends where learning in one go ends."""
        while self.epoch < EPOCHS:
            order = np.random.default_rng([seed, self.epoch + 1]).permutation(len(x))
            losses = [
                self.step(x[part], y[part]) * len(part)
                for part in (order[first : first + AT_ONCE] for first in range(0, len(order), AT_ONCE))
            ]
            self.epoch += 1
            yield sum(losses) / len(x)

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One step down; the mean loss before it."""
        w = self.weights
        between = hidden(w, x)
        found = softmax(between @ w[2] + w[3])
        loss = -float(np.log(np.maximum(found[np.arange(len(y)), y], 1e-12)).mean())
        found[np.arange(len(y)), y] -= 1.0
        found /= len(y)
        back = (found @ w[2].T) * (between > 0)
        slopes = [x.T @ back + DECAY * w[0], back.sum(axis=0), between.T @ found + DECAY * w[2], found.sum(axis=0)]
        self.speeds = [MOMENTUM * speed - RATE * slope for speed, slope in zip(self.speeds, slopes, strict=True)]
        self.weights = [weight + speed for weight, speed in zip(w, self.speeds, strict=True)]
        return loss

    def save(self, file: Path) -> None:
        """Writes all that going on needs."""
        named = {f"weight{place}": array for place, array in enumerate(self.weights)}
        named |= {f"speed{place}": array for place, array in enumerate(self.speeds)}
        np.savez(file, epoch=np.array(self.epoch), **named)


def begin(seed: int) -> Lesson:
    """Nothing learned yet."""
    weights = fresh(np.random.default_rng([seed, 0]))
    return Lesson(weights, [np.zeros_like(weight) for weight in weights])


def load(file: Path) -> Lesson:
    """What `save` wrote."""
    with np.load(file, allow_pickle=False) as content:
        weights = [content[f"weight{place}"] for place in range(4)]
        speeds = [content[f"speed{place}"] for place in range(4)]
        return Lesson(weights, speeds, int(content["epoch"]))
