"""Commands: what `ovd` offers: its own nouns, and those that installed distributions add (group `ovd.commands`)."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from ovd.cli import (
    applications,
    check,
    drift,
    execute,
    feed,
    learn,
    login,
    logs,
    models,
    network,
    new,
    notify,
    push,
    run,
)

GROUP = "ovd.commands"
OWN = (new, check, run, login, push, execute, logs, applications, feed, learn, models, drift, notify, network)


def build(arguments: "list[str]") -> typer.Typer:
    """The command line. Added commands are loaded only when `arguments` may mean one of them."""
    app = typer.Typer(
        help="Write, check, publish and execute machine-learning applications.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain help: loading rich would cost 0.4 s
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for noun in OWN:
        noun.register(app)
    own = {command.name for command in app.registered_commands}
    if not arguments or arguments[0] not in own:
        add_plugins(app)
    return app


def add_plugins(app: typer.Typer) -> None:
    """Let each plugin add its commands; one that cannot be loaded is named on stderr, and the others go on."""
    for entry in _entry_points():
        added = typer.Typer()
        try:
            entry.load()(added)
            typer.main.get_command(added)  # a wrong signature shows here, and not when `ovd` starts
            app.registered_commands += added.registered_commands
            app.registered_groups += added.registered_groups
        except Exception as error:
            print(
                f"The commands of {entry.name!r} ({entry.value}) are missing: {type(error).__name__}: {error}",
                file=sys.stderr,
            )


def _entry_points() -> "list[metadata.EntryPoint]":
    if sys.version_info >= (3, 10):
        return list(metadata.entry_points(group=GROUP))
    return list(metadata.entry_points().get(GROUP, []))


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"ovd {metadata.version('ovd')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Write, check, publish and execute machine-learning applications."""
