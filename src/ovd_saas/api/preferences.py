"""Preferences: how long a client waits for the end of what it asks for (`Prefer`, RFC 7240). Floor 3."""

import re
from typing import Any

from django.http import HttpRequest

from ovd_saas.appcore.refusals import Refusal

LONGEST_WAIT = 300.0  # seconds

_WAIT = re.compile(r"wait\s*=\s*\"?(?P<seconds>[^\",;]*)\"?", re.IGNORECASE)


class BadPreference(Refusal):
    """`Prefer` cannot be read."""

    code = "bad_request"
    http = 400


def wait_seconds(request: HttpRequest, *, usual: float) -> float:
    """Of `Prefer: wait=N`, at most LONGEST_WAIT; 0 with `respond-async` alone; else `usual`. Raises BadPreference."""
    for part in re.split("[,;]", request.headers.get("Prefer", "")):
        match = _WAIT.fullmatch(part.strip())
        if match:
            return _seconds(match["seconds"])
    is_async = "respond-async" in request.headers.get("Prefer", "").lower()
    return 0.0 if is_async else usual


def documented(usual: float) -> dict[str, Any]:
    """The header for the OpenAPI document."""
    return {
        "in": "header",
        "name": "Prefer",
        "required": False,
        "schema": {"type": "string"},
        "description": f"`wait=N`: seconds to wait for the end, at most {LONGEST_WAIT:g} (default {usual:g}); "
        "`respond-async`: none.",
    }


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit()):
        raise BadPreference(f"Prefer: wait={text[:20]} is not a whole number of seconds, 0 to {LONGEST_WAIT:g}.")
    return min(float(text[:9]), LONGEST_WAIT)
