"""Learn: start a learning run of an application, or join the one that is open, and follow it."""

import sys
from typing import Annotated, Any

import typer

from ovd.cli.refusal import Refusal


def register(app: typer.Typer) -> None:
    app.command("learn")(learn)


def learn(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
    is_watched: Annotated[bool, typer.Option("--watch/--no-watch", help="Follow the run until its end.")] = True,
    with_log: Annotated[bool, typer.Option("--log", help="Show what the run prints, too.")] = False,
    is_current: Annotated[
        bool, typer.Option("--current", help="Start nothing: follow the last run, which may be going on.")
    ] = False,
    note: Annotated[str, typer.Option(help="Why, for the timeline.")] = "",
) -> None:
    """Let an application learn now, whatever its triggers say, and follow the run.

    The exit code is 0 when its model was promoted or waits for approval, 3 when it was rejected (by the gate or a
    person), 1 when the run failed, was cancelled or could not start.
    """
    from ovd.cli import following
    from ovd.cli.connected import client as connected

    with connected() as client:
        run = _last(client, application) if is_current else _started(client, application, note)
        if not is_watched:
            print(f"Learning run {run.number} of {application} is {run.status}.")
            if not run.is_finished:
                print(f"Follow it with: ovd learn {application} --current", file=sys.stderr)
            return
        code = following.conclude(following.follow(client, run.id, with_log=with_log))
    if code:
        raise typer.Exit(code)


def _started(client: Any, application: str, note: str) -> Any:
    from ovd.client import Conflict

    try:
        return client.learn(application, note=note)
    except Conflict as refused:
        if refused.code != "already_learning":
            raise
        raise Refusal(f"{refused.detail} Follow it with: ovd learn {application} --current") from refused


def _last(client: Any, application: str) -> Any:
    runs = client.learning_runs(application)
    if not runs:
        raise Refusal(f"{application} has not learned yet. Let it learn with: ovd learn {application}")
    return runs[0]
