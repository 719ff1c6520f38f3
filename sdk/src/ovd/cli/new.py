"""New: a folder with a small application that works, to be changed into one's own."""

import re
from pathlib import Path
from typing import Annotated

import typer

from ovd.cli.refusal import Refusal

STARTER = Path(__file__).resolve().parent.parent / "starter"
SAMPLES = {"python": "steps", "command": "letter", "learning": "warm"}  # of each starter
NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")  # as the platform takes them


def register(app: typer.Typer) -> None:
    app.command("new")(new)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the application; the folder is called so.")],
    command: Annotated[
        bool, typer.Option("--command", help="A program in any language, started by a command line.")
    ] = False,
    learning: Annotated[
        bool, typer.Option("--learning", help="An application that learns from the data it is fed.")
    ] = False,
) -> None:
    """Make a folder with a working application, to be changed into yours."""
    if command and learning:
        raise Refusal("A command cannot learn. Take --learning for a Python class, or --command alone.")
    kind = "command" if command else "learning" if learning else "python"
    folder = Path(name)
    if not NAME.fullmatch(folder.name):
        raise Refusal(
            f"{folder.name!r} cannot be the name of an application. "
            "Take 2 to 40 lower-case letters, digits and hyphens, a letter first, such as water-flow."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refusal(f"{folder} is already there. Take another name, or move it away.")
    title = folder.name.replace("-", " ").capitalize()
    for path, content in files(STARTER / kind):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.replace(b"{{name}}", folder.name.encode()).replace(b"{{title}}", title.encode()))
    print(f"Made {folder}. Next:\n")
    print(f"  cd {folder}\n  ovd check\n  ovd run --sample {SAMPLES[kind]}")
    if learning:
        print(f"  ovd push\n  ovd feed ORG/{folder.name} data.jsonl --watch")


def files(starter: Path) -> "list[tuple[str, bytes]]":
    """(path, bytes) of each file of a starter; `gitignore` is stored without its dot."""
    found = sorted(path for path in starter.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [
        (path.relative_to(starter).as_posix().replace("gitignore", ".gitignore"), path.read_bytes()) for path in found
    ]
