"""Preferences: how long the client waits (`Prefer`, RFC 7240), and its `Idempotency-Key`. Floor 3."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from ovd.schema import FieldError
from ovd_saas.gateway.refusals import BadRequest, Invalid

USUAL_WAIT = 30.0  # seconds
LONGEST_WAIT = 300.0
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Preferences:
    wait: float = USUAL_WAIT  # seconds
    applied: str = ""  # for the header Preference-Applied; empty: nothing was asked for


_USUAL = Preferences()


def preferences(headers: dict[bytes, bytes]) -> Preferences:
    """Of `Prefer: wait=N` and `respond-async`; both together wait N seconds. Raises BadRequest."""
    given = headers.get(b"prefer")
    if given is None:
        return _USUAL
    is_async, wait = False, None
    for part in given.decode("latin-1").replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "respond-async":
            is_async = True
        elif name.lower() == "wait" and wait is None:
            wait = _seconds(value.strip().strip('"'))
    if wait is not None:
        return Preferences(wait, f"wait={wait:g}")
    return Preferences(0.0, "respond-async") if is_async else _USUAL


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"Prefer: wait={text[:20]} is not a whole number of seconds, 0 to {LONGEST_WAIT:g}.")
    return min(float(text), LONGEST_WAIT)


def idempotency_key(headers: dict[bytes, bytes]) -> str | None:
    """None when there is none. Raises Invalid."""
    given = headers.get(b"idempotency-key")
    if given is None:
        return None
    key = given.decode("latin-1").strip()
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        message = f"must have 1 to {LONGEST_KEY} printable characters."
        raise Invalid(f"The Idempotency-Key {message}", errors=[FieldError("Idempotency-Key", message)])
    return key


def unknown_parameters(query: bytes) -> list[FieldError]:
    """Each parameter of a query, where none is known."""
    names = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) or {"query": ""}
    return [FieldError(name, "is not known here; put inputs into the body.") for name in names]
