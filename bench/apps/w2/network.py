"""The network: 64 pixels in, ten digits out."""

from torch import nn

PIXELS, HIDDEN, CLASSES = 64, 128, 10


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
                         nn.Linear(HIDDEN, CLASSES))  # fmt: skip
