"""Digits by logistic regression: what a scikit-learn application usually looks like."""

from pathlib import Path

import joblib
import numpy as np

from ovd import App, Context, Series, series

PIXELS = 64


class Digits(App):
    def setup(self, model: Path | None) -> None:
        self.model = joblib.load(Path(__file__).with_name("model.joblib"))

    def execute(
        self,
        context: Context,
        pixels: Series = series(label="Pixels", help="8 × 8 of them, 0 to 16."),
    ) -> int:
        return int(self.model.predict(np.asarray(pixels.values, dtype=float).reshape(1, PIXELS))[0])
