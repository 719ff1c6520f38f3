"""Connected: the client of the platform that this user is signed in to."""

import sys

from ovd.cli import credentials

# httpx loads a command line of its own where it can (with click and rich: 0.3 s); told that there is none, it goes on.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from ovd.client import Client  # noqa: E402


def client() -> Client:
    """A client for the platform found by `credentials.find`. Raises Refusal when none is known."""
    return client_of(credentials.find())


def client_of(platform: credentials.Credentials, *, patience: float = 10.0) -> Client:
    """A client for that platform, which is not asked anything yet."""
    return Client(platform.url, platform.token, patience=patience)
