"""Pixels: a picture of one digit as the 64 numbers that the classifier sees."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 8  # pixels
FULL = 255.0


def read(path: Path) -> np.ndarray:
    """64 numbers from 0 (paper) to 1 (ink), row by row. Light ink on a dark ground is turned round.

    A picture of 8 × 8 pixels is taken as it is; of a larger one, the inked part is fitted into the square.
    Raises OSError when it is no picture."""
    with Image.open(path) as picture:
        grey = picture.convert("L")
    ink = 1.0 - np.asarray(grey, dtype=float) / FULL
    edge = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    if np.median(edge) > 0.5:
        ink = 1.0 - ink
    if ink.shape != (SIDE, SIDE):
        ink = fitted(ink)
    return ink.reshape(-1)


def fitted(ink: np.ndarray) -> np.ndarray:
    """The inked part, centred in a square of SIDE × SIDE pixels."""
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.5), np.flatnonzero(ink.max(axis=0) > 0.5)
    if len(rows):
        ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = max(ink.shape)
    square = np.zeros((side, side))
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    small = Image.fromarray((square * FULL).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=float) / FULL
