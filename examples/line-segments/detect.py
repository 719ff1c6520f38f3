"""Detect: straight segments in a grey picture, after LSD (Grompone von Gioi et al., IPOL 2012), simplified.

Pixels whose gradients point the same way are grown into regions; a region becomes a rectangle; the rectangle counts
when so many aligned pixels would hardly occur in noise (fewer than one false alarm expected in a picture of noise).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TOLERANCE = math.pi / 8  # radians; directions closer than this are the same
ALIGNED = TOLERANCE / math.pi  # probability that a direction in noise is the same
FLATTEST = 2.0 / math.sin(TOLERANCE)  # grey levels; smaller gradients have a direction made by quantisation
DENSEST = 0.7  # part of its rectangle that a region fills at least

Array = np.ndarray


@dataclass(frozen=True)
class Segment:
    """A straight segment; lengths in pixels, the origin at the upper left corner of the picture."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    certainty: float  # -log10 of the number of false alarms

    @property
    def length(self) -> float:
        return math.hypot(self.x2 - self.x1, self.y2 - self.y1)

    @property
    def angle(self) -> float:
        """Degrees from the x axis, counted upwards: 0 is horizontal, 90 vertical; in [0, 180)."""
        return math.degrees(math.atan2(self.y1 - self.y2, self.x2 - self.x1)) % 180.0


def detect(grey: Array, *, certainty: float = 0.0, tell: Callable[[float], None] = lambda part: None) -> list[Segment]:
    """Segments of a picture (rows × columns, 0 to 255), the longest first."""
    angle, strength = level_lines(smooth(grey))
    height, width = angle.shape
    tests = 2.5 * (math.log10(height) + math.log10(width))  # log10 of the number of rectangles there can be
    smallest = int((tests + certainty) / -math.log10(ALIGNED)) + 1  # fewer pixels never count, even if all aligned
    angles, strong = angle.ravel().tolist(), strength.ravel()
    order = np.argsort(-strong, kind="stable")[: int((strong > FLATTEST).sum())].tolist()
    free = bytearray((strong > FLATTEST).astype(np.uint8).tobytes())
    found = []
    for done, seed in enumerate(order):
        if done % 4096 == 0:
            tell(done / len(order))
        if not free[seed]:
            continue
        region = grow(seed, angles, free, width, height)
        if len(region) < smallest:
            continue
        segment = tighten(np.array(region), seed, angle, strength, smallest, tests)
        if segment is not None and segment.certainty >= certainty:
            found.append(segment)
    return sorted(found, key=lambda segment: (-segment.length, segment.x1, segment.y1))


def smooth(grey: Array) -> Array:
    """Blurred by a Gaussian of 0.6 pixels, against the staircase of slanting edges."""
    offsets = np.arange(-3, 4)
    kernel = np.exp(-(offsets**2) / (2 * 0.6**2))
    kernel /= kernel.sum()
    padded = np.pad(grey.astype(np.float64), 3, mode="edge")
    rows = sum(weight * padded[3 + at : padded.shape[0] - 3 + at] for at, weight in zip(offsets, kernel, strict=True))
    return np.asarray(
        sum(weight * rows[:, 3 + at : rows.shape[1] - 3 + at] for at, weight in zip(offsets, kernel, strict=True))
    )


def level_lines(grey: Array) -> tuple[Array, Array]:
    """Direction along the edge (radians) and strength of the gradient, between each four pixels."""
    down = grey[1:, 1:] - grey[:-1, :-1]
    up = grey[:-1, 1:] - grey[1:, :-1]
    x, y = (down + up) / 2, (down - up) / 2
    return np.arctan2(x, -y), np.hypot(x, y)


def grow(seed: int, angles: list[float], free: bytearray, width: int, height: int) -> list[int]:
    """Pixels connected to `seed` whose direction is that of the region so far; they are taken out of `free`."""
    region, direction = [seed], angles[seed]
    cosine, sine = math.cos(direction), math.sin(direction)
    free[seed] = 0
    for pixel in region:
        row, column = divmod(pixel, width)
        for y in range(max(0, row - 1), min(height, row + 2)):
            for x in range(max(0, column - 1), min(width, column + 2)):
                other = y * width + x
                if not free[other]:
                    continue
                turn = abs(angles[other] - direction)
                if min(turn, 2 * math.pi - turn) <= TOLERANCE:
                    free[other] = 0
                    region.append(other)
                    cosine += math.cos(angles[other])
                    sine += math.sin(angles[other])
                    direction = math.atan2(sine, cosine)
    return region


def tighten(region: Array, seed: int, angle: Array, strength: Array, smallest: int, tests: float) -> Segment | None:
    """The rectangle of a region, cut back around the seed while it is mostly empty (a curve, or two edges)."""
    width = angle.shape[1]
    rows, columns = np.divmod(region, width)
    distance = np.hypot(rows - seed // width, columns - seed % width)
    reach = float(distance.max())
    while len(rows) >= smallest:
        rectangle = Rectangle.around(rows, columns, strength[rows, columns], angle)
        if len(rows) >= DENSEST * rectangle.area:
            return rectangle.segment(angle, tests)
        reach *= 0.75
        near = distance <= reach
        rows, columns, distance = rows[near], columns[near], distance[near]
    return None


@dataclass(frozen=True)
class Rectangle:
    """A thin rectangle; all in pixels."""

    x: float  # of the centre
    y: float
    along: tuple[float, float]  # unit vector of its long side, x and y
    first: float  # where it begins, along the long side, from the centre
    last: float
    width: float
    direction: float  # radians; mean level line direction of its region

    @classmethod
    def around(cls, rows: Array, columns: Array, weights: Array, angle: Array) -> Rectangle:
        """The rectangle of pixels: centre and axis of their weights, as long and wide as to hold them."""
        total = weights.sum()
        x, y = float((columns * weights).sum() / total), float((rows * weights).sum() / total)
        dx, dy = columns - x, rows - y
        xx, yy, xy = ((weights * product).sum() / total for product in (dx * dx, dy * dy, dx * dy))
        axis = 0.5 * math.atan2(2 * xy, xx - yy)
        along = (math.cos(axis), math.sin(axis))
        length = dx * along[0] + dy * along[1]
        across = dy * along[0] - dx * along[1]
        directions = angle[rows, columns]
        return cls(
            x=x,
            y=y,
            along=along,
            first=float(length.min()),
            last=float(length.max()),
            width=max(1.0, float(across.max() - across.min())),
            direction=math.atan2(float(np.sin(directions).sum()), float(np.cos(directions).sum())),
        )

    @property
    def area(self) -> float:
        """In pixels, at least one wide and one long."""
        return (self.last - self.first + 1) * self.width

    def segment(self, angle: Array, tests: float) -> Segment:
        """The middle line, with its certainty: how surprising its aligned pixels are."""
        height, width = angle.shape
        ends = [(self.x + at * self.along[0], self.y + at * self.along[1]) for at in (self.first, self.last)]
        margin = self.width / 2 + 1
        left, right = (int(bound) for bound in bounds([x for x, _ in ends], margin, width))
        top, bottom = (int(bound) for bound in bounds([y for _, y in ends], margin, height))
        rows, columns = np.mgrid[top:bottom, left:right]
        length = (columns - self.x) * self.along[0] + (rows - self.y) * self.along[1]
        across = (rows - self.y) * self.along[0] - (columns - self.x) * self.along[1]
        inside = (length >= self.first - 0.5) & (length <= self.last + 0.5) & (np.abs(across) <= self.width / 2)
        turn = np.abs(angle[top:bottom, left:right][inside] - self.direction) % (2 * math.pi)
        aligned = int((np.minimum(turn, 2 * math.pi - turn) <= TOLERANCE).sum())
        surprise = -log10_tail(int(inside.sum()), aligned) - tests
        (x1, y1), (x2, y2) = ends
        # gradients lie between pixels: half a pixel to their centres, and half a pixel to count from the corner
        return Segment(x1 + 1, y1 + 1, x2 + 1, y2 + 1, self.width, surprise)


def bounds(values: list[float], margin: float, size: int) -> tuple[float, float]:
    """First and one past the last index that can lie within `margin` of the values."""
    return max(0.0, math.floor(min(values) - margin)), min(float(size), math.ceil(max(values) + margin) + 1)


def log10_tail(count: int, hits: int) -> float:
    """log10 of the probability of at least `hits` aligned pixels among `count` in noise (binomial)."""
    if hits <= 0:
        return 0.0
    term = (
        math.lgamma(count + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(count - hits + 1)
        + hits * math.log(ALIGNED)
        + (count - hits) * math.log1p(-ALIGNED)
    )
    odds, total, part = ALIGNED / (1 - ALIGNED), 1.0, 1.0
    for number in range(hits + 1, count + 1):
        part *= (count - number + 1) / number * odds
        total += part
        if part < total * 1e-12:
            break
    return min(0.0, (term + math.log(total)) / math.log(10))
