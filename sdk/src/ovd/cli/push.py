"""Push: send a folder to the platform as a new release, and follow its build."""

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ovd.cli.refusal import Refusal


def register(app: typer.Typer) -> None:
    app.command("push")(push)


def push(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Folder of the application.")] = Path(),
    org: Annotated[Optional[str], typer.Option(help="Organisation; needed when you may push to several.")] = None,
    is_unchecked: Annotated[bool, typer.Option("--no-check", help="Do not check the folder here first.")] = False,
) -> None:
    """Publish an application. It is checked here, sent, and its build followed until it is ready or failed."""
    from ovd import manifest
    from ovd.cli.check import run_check
    from ovd.cli.connected import client as connected

    name = manifest.load(folder).name
    with connected() as client:
        organisation = org or _only_organisation(client.me())
        if not is_unchecked and not run_check(folder):
            raise Refusal("Nothing was sent. Cure what is said above, or send it all the same with --no-check.")
        release = client.push(folder, organisation, name=name)
        address = f"{release.application} release {release.number}"
        print(f"Sent {address}; the platform builds it:", flush=True)
        for text in client.build_log(release.application, release.number):
            print(text, end="", flush=True)
        release = client.release(release.application, release.number)
        if not release.is_ready:
            print(f"{address} failed. {release.reason}".rstrip(), file=sys.stderr)
            raise typer.Exit(1)
        print(f"{address} is ready. Try it with: ovd execute {release.application}")


def _only_organisation(me: "dict[str, Any]") -> str:
    """The organisation to push to when none was named. Raises Refusal when that is not clear."""
    is_staff = me["user"].get("is_staff")
    allowed = [str(item["slug"]) for item in me["organisations"] if is_staff or item["role"] in ("owner", "author")]
    if len(allowed) == 1:
        return allowed[0]
    if allowed:
        raise Refusal(f"You may push to {', '.join(sorted(allowed))}. Say which with --org.")
    raise Refusal(
        "You are author in no organisation, so there is nowhere to push to. Ask an owner for the role author."
    )
