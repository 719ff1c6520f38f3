"""Warming: an application that does nothing. Templates load it once, so that loading another one imports nothing."""

from pathlib import Path
from typing import Dict, Optional

from ovd import App, Context, Evaluation, Samples, number, text


class Warming(App):
    """Does nothing; its loading is what counts."""

    def execute(self, context: Context, words: str = text(""), factor: float = number(1.0, minimum=0)) -> str:
        """Say the words again."""
        return words * int(factor)

    def learn(self, context: Context, data: Samples, parent: Optional[Path], target: Path) -> Dict[str, float]:
        """Nothing."""
        return {}

    def evaluate(self, context: Context, data: Samples) -> Evaluation:
        """As good as can be."""
        return Evaluation({"error": 0.0}, [0.0 for _ in data])
