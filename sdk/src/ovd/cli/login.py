"""Login: remember a platform and a token, after asking the platform whether they fit."""

import os
import sys
from typing import Annotated, Optional

import typer

from ovd.cli.credentials import Credentials, store
from ovd.cli.refusal import Refusal


def register(app: typer.Typer) -> None:
    app.command("login")(login)


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the platform.")],
    token: Annotated[
        Optional[str], typer.Option(help="Token from your account page; else OVD_TOKEN, else you are asked.")
    ] = None,
) -> None:
    """Sign in to a platform. The commands push, execute, logs, list and show then use it."""
    from ovd.cli.connected import client_of
    from ovd.client import NotFound, PlatformFailed

    if "://" not in url:
        url = f"http://{url}" if url.split(":")[0] in ("localhost", "127.0.0.1") else f"https://{url}"
    token = token or os.environ.get("OVD_TOKEN") or _asked()
    with client_of(Credentials(url, token), patience=0) as client:
        try:
            me = client.me()
        except (NotFound, PlatformFailed) as error:
            raise Refusal(f"{url} is no OVD platform: {error.detail}") from error
        path = store(Credentials(client.url.rstrip("/"), token))
    print(f"Signed in to {url} as {me['user']['username']}.")
    print(f"The token is in {path}.")


def _asked() -> str:
    if not sys.stdin.isatty():
        raise Refusal("A token is needed. Give it with --token, or in the environment variable OVD_TOKEN.")
    return str(typer.prompt("Token", hide_input=True))
