"""Logs: what an application printed during an execution."""

import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("logs")(logs)


def logs(
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION-ID", help="As printed by `ovd execute`.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution is finished.")] = False,
) -> None:
    """Print the log of an execution."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        execution = client.execution(execution_id)
        if follow and not execution.is_finished:
            for event in client.events(execution_id):
                if event.name == "log":
                    print(event.data["text"], end="", flush=True)
            execution = client.execution(execution_id)
        else:
            print(client.log(execution_id), end="", flush=True)
    print(f"Execution {execution_id}: {execution.status}. {execution.reason}".rstrip(), file=sys.stderr)
