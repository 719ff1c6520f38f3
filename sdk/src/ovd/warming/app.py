"""Warming: an application that does nothing. Templates load it once, so that loading another one imports nothing."""

from ovd import App, number, text


class Warming(App):
    """Does nothing; its loading is what counts."""

    def execute(self, words: str = text(""), factor: float = number(1.0, minimum=0)) -> str:
        """Say the words again."""
        return words * int(factor)
