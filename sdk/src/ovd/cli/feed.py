"""Feed: samples from files, folders or standard input into an application, and what becomes of them."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any, Optional

import typer

from ovd.cli.refusal import Refusal


def register(app: typer.Typer) -> None:
    app.command("feed")(feed)


def feed(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
    given: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|FOLDER|-...",
            help="JSON Lines, JSON, CSV or Parquet; a folder of such files, or of pictures in one folder for each "
            "label; - reads JSON Lines from standard input.",
        ),
    ],
    key: Annotated[
        Optional[str], typer.Option(help="Idempotency-Key of one file: sent again with it, it is stored once.")
    ] = None,
    is_watched: Annotated[
        bool,
        typer.Option("--watch", help="Files: follow what becomes of them. A folder: feed what appears in it, too."),
    ] = False,
) -> None:
    """Give an application data to learn from. The exit code is 0 when all of it was taken."""
    from ovd.cli import feeding
    from ovd.cli.connected import client as connected

    if key is not None and (len(given) > 1 or given[0].is_dir()):
        raise Refusal("A key stands for one file. Feed one file with --key, or several without.")
    with connected() as client:
        folders = [path for path in given if path.is_dir()]
        if is_watched and folders:
            if len(given) > 1:
                raise Refusal("One folder can be watched at a time. Name only that.")
            feeding.watch_folder(client, application, folders[0])
            return
        last = None
        for path in given:
            if path.is_dir():
                last = feeding.folder(client, application, path) or last
            elif str(path) == "-":
                last = _from_stdin(client, application, key)
            else:
                last = feeding.file(client, application, path, key=key)
        if is_watched and last is not None:
            raise typer.Exit(feeding.follow(client, application, last))


def _from_stdin(client: Any, application: str, key: Optional[str]) -> Any:
    """All of it first: only then it is known that it came to its end."""
    from ovd.cli import feeding

    with tempfile.TemporaryFile() as kept:
        for piece in _pieces(sys.stdin.buffer):
            kept.write(piece)
        return feeding.send(client, application, kept, "standard input", key=key)


def _pieces(stream: "IO[bytes]") -> "Iterator[bytes]":
    while True:
        piece = stream.read(1 << 20)
        if not piece:
            return
        yield piece
