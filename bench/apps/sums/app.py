"""Sums: about 5 ms of arithmetic."""

from ovd import App, Context, integer


class Sums(App):
    def execute(self, context: Context, terms: int = integer(default=60_000, minimum=1, label="Terms")) -> float:
        """A part of the harmonic series."""
        total = 0.0
        for number in range(1, terms + 1):
            total += 1.0 / number
        return total
