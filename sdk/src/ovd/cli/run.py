"""Run: one execution on this machine, with no platform."""

import typer


def register(app: typer.Typer) -> None:
    pass
