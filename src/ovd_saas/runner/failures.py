"""Failures: why a release cannot be made ready, with the stage it stopped at."""


class PreparationFailed(Exception):
    """`stage` is `unpack`, `manifest`, `environment`, `import` or `samples`."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
