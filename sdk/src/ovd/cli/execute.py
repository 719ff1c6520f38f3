"""Execute: run an application on the platform, on inputs from the command line, and show what came out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Optional

import typer

from ovd.cli import inputs as typed
from ovd.cli import outputs as shown
from ovd.cli.refusal import Refusal
from ovd.cli.waiting import Waiting


def register(app: typer.Typer) -> None:
    app.command("execute")(execute)


def execute(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
    given: Annotated[
        Optional[list[str]], typer.Argument(metavar="[NAME=VALUE|NAME=@FILE]...", help="Its inputs.")
    ] = None,
    seed: Annotated[
        Optional[int], typer.Option(help="Seed of the random numbers; else the platform draws one.")
    ] = None,
    wait: Annotated[Optional[float], typer.Option(help="Wait at most so many seconds.")] = None,
    is_async: Annotated[bool, typer.Option("--async", help="Do not wait: print the id and go.")] = False,
    out: Annotated[Optional[Path], typer.Option(help="Folder for the files that come out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole record as JSON.")] = False,
) -> None:
    """Execute an application on the platform. The exit code is 0 only when it succeeded."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        schema = client.schema(application)
        values, files = typed.read(given or [], schema.get("inputs") or {})
        if is_async:
            execution = client.execute(application, values, files=dict(files), seed=seed, wait=0)
        else:
            with _Following() as show:
                execution = client.execute(application, values, files=dict(files), seed=seed, wait=wait, on_change=show)
        if out is not None and execution.is_success:
            _download(client, execution.document, out)
    if as_json:
        print(json.dumps(execution.document, indent=2, ensure_ascii=False))
    elif is_async and not execution.is_finished:
        print(execution.id)
    else:
        _print(execution, schema)
    if not (execution.is_success or (is_async and not execution.is_finished)):
        raise typer.Exit(1)


class _Following:
    """Shows how an execution goes on; Ctrl-C ends the showing, not the execution."""

    def __init__(self) -> None:
        self._waiting = Waiting("execution")
        self._id = ""

    def __enter__(self) -> "Callable[[Any], None]":
        self._waiting.__enter__()
        return self._show

    def __exit__(
        self, kind: "Optional[type[BaseException]]", error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._waiting.__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt):
            see = f" See it with: ovd logs {self._id}" if self._id else ""
            raise Refusal(f"Not waiting any more; what the platform has accepted goes on.{see}") from None

    def _show(self, execution: Any) -> None:
        self._id = execution.id
        progress, place = execution.document.get("progress") or {}, execution.document.get("queue_position")
        message = str(progress.get("message") or "") if place is None else f"number {place} in the queue"
        self._waiting.show(execution.status, progress.get("fraction"), message)


def _print(execution: Any, schema: "dict[str, Any]") -> None:
    if execution.is_success:
        print("\n".join(shown.lines(execution.outputs, schema.get("outputs") or {})))
        seconds = "" if execution.seconds is None else f" in {execution.seconds:.3g} s"
        print(f"Execution {execution.id} succeeded{seconds}.", file=sys.stderr)
    elif execution.is_finished:
        print(f"Execution {execution.id}: {execution.status}. {execution.reason}".rstrip(), file=sys.stderr)
        if execution.status == "failed":
            print(f"See what it printed with: ovd logs {execution.id}", file=sys.stderr)
    else:
        print(
            f"Execution {execution.id} is {execution.status} still and goes on. "
            f"Follow it with: ovd logs {execution.id} --follow",
            file=sys.stderr,
        )


def _download(client: Any, document: "dict[str, Any]", folder: Path) -> None:
    """Each file among the outputs, under its own name; two of the same name get the output's name in front."""
    from ovd.client import safe_name

    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for name, value in (document.get("outputs") or {}).items():
        if not shown.is_file(value):
            continue
        wanted = safe_name(str(value.get("name") or name))
        wanted = f"{name}-{wanted}" if wanted in taken else wanted
        taken.add(wanted)
        print(f"Wrote {client.download(value, folder / wanted)}", file=sys.stderr)
