"""Seeds: the same numbers from every usual generator, each time."""

import random
import sys


def seed_everything(seed: int) -> None:
    """Seed the usual generators; numpy and torch only when the application imported them."""
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed % 2**63)
