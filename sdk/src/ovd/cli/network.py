"""Network: the hosts that an application asks for, and those that an operator allows."""

from typing import Annotated, Optional

import typer

NOTHING = "It asks for no host, so it reaches nothing. An author asks with [network] hosts in ovd.toml."


def register(app: typer.Typer) -> None:
    app.command("network")(network)


def network(
    application: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Address of the application.")],
    allow: Annotated[
        Optional[list[str]],
        typer.Option(metavar="HOST[:PORT]", help="Allow it as well; without a port 443. May be given several times."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Allow nothing, except what --allow names.")] = False,
) -> None:
    """Show which hosts an application asks for and may reach; operators and owners change what it may."""
    from ovd.cli.connected import client as connected

    with connected() as client:
        found = client.application(application)
        if allow or none:
            before = [] if none else found["network"]["allowed"]
            found = client.allow_network(application, [*before, *(allow or [])])
    asked, allowed, reached = (found["network"][part] for part in ("asked", "allowed", "reached"))
    for host in asked:
        print(f"{host}  {'allowed' if host in reached else 'asked for, not allowed: not reached'}")
    for host in allowed:
        if host not in asked:
            print(f"{host}  allowed, not asked for: not reached")
    if not asked:
        print(NOTHING)
    if allow:
        print("What is allowed now is reached by processes that start from now on.")
