"""A line through numbers: what a small NumPy application usually looks like."""

import numpy as np

from ovd import App, Context, Series, series


class Numbers(App):
    def execute(self, context: Context, values: Series = series(label="Values")) -> float:
        """The slope."""
        numbers = np.asarray(values.values, dtype=float)
        return float(np.polyfit(np.arange(len(numbers)), numbers, 1)[0])
