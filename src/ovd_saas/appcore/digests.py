"""Digests: one text for one value, and its SHA-256. Floor 2.

*Canonical JSON* of a value: UTF-8, no spaces, members sorted by name, numbers as `orjson` writes them (shortest text
that reads back to the same number), no NaN or infinity. Files inside stand as `{name, media_type, size, digest}`.
"""

import hashlib
from typing import Any

import orjson


class NotCanonical(ValueError):
    """It has no canonical JSON: a number beyond 64 bits, half a surrogate pair, or something that is not JSON."""


def canonical(value: Any) -> bytes:
    """The canonical JSON. Raises NotCanonical."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise NotCanonical(str(error)) from None


def digest(canonical_json: bytes) -> str:
    return "sha256:" + hashlib.sha256(canonical_json).hexdigest()


def unstorable(value: Any) -> str | None:
    """Why PostgreSQL cannot keep this JSON value, as the end of a sentence about it; None when it can."""
    try:
        text = canonical(value)
    except NotCanonical as error:
        return f"cannot be stored: {error}."
    if rb"\u0000" in text and _has_nul(value):
        return "contains a null character, which cannot be stored."
    return None


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)
