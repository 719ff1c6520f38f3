"""Digits by a small network: what a torch application usually looks like."""

from pathlib import Path

import torch
from network import network

from ovd import App, Context, Series, series


class Digits(App):
    def setup(self, model: Path | None) -> None:
        self.network = network()
        self.network.load_state_dict(torch.load(Path(__file__).with_name("model.pt"), weights_only=True))
        self.network.eval()

    def execute(
        self,
        context: Context,
        pixels: Series = series(label="Pixels", help="8 × 8 of them, 0 to 16."),
    ) -> int:
        with torch.inference_mode():
            return int(self.network(torch.tensor([pixels.values])).argmax())
