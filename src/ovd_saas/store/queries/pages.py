"""Pages of long lists: a cursor says after which row to go on, so rows that arrive meanwhile shift nothing. Floor 1."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)

LARGEST_LIMIT = 200
USUAL_LIMIT = 50


class BadCursor(ValueError):
    """The cursor is not one that a page of this list ended with."""


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and the cursor of the page after them, None when there is none."""

    items: list[Row]
    next: str | None


def page(rows: QuerySet[Row], limit: int, key: Callable[[Row], tuple[Any, ...]]) -> Page[Row]:
    """The first `limit` of these ordered rows; `key` gives what `after` needs to go on, as JSON scalars."""
    found = list(rows[: limit + 1])
    items = found[:limit]
    return Page(items, cursor(*key(items[-1])) if len(found) > limit else None)


def cursor(*key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, default=str).encode()).decode().rstrip("=")


def moment(text: str) -> datetime:
    """A moment inside a cursor."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise BadCursor(text)
    return at.astimezone(UTC)


def after(cursor: str, *kinds: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The key inside a cursor, each part made by its kind; only numbers make an int. Raises BadCursor."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(key, list) or len(key) != len(kinds) or b"\0" in "".join(map(str, key)).encode():
            raise BadCursor(cursor)
        if any(type(part) is not (int if kind is int else str) for kind, part in zip(kinds, key, strict=True)):
            raise BadCursor(cursor)
        return tuple(kind(part) for kind, part in zip(kinds, key, strict=True))
    except (ValueError, TypeError, OverflowError):
        raise BadCursor(cursor) from None
