"""Makes model.pt: `python train.py`, in an environment of requirements.lock. Its weights are chance."""

from pathlib import Path

import torch
from network import network

if __name__ == "__main__":
    torch.manual_seed(1)
    torch.save(network().state_dict(), Path(__file__).with_name("model.pt"))
