"""Notify: say that new data arrived for an application elsewhere."""

import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("notify")(notify)


def notify(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
    source: Annotated[
        str, typer.Option(help="A source of its manifest that is pulled now; without one, learning is due.")
    ] = "",
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Tell an application that new data arrived: it pulls the source, or learns."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        evaluation = client.notify(application, source=source or None, note=note)
    print(evaluation["reason"])
    run = evaluation.get("learning_run")
    if run:
        print(f"Learning run {run['number']}. Follow it with: ovd learn {application} --current", file=sys.stderr)
