"""Shapes: what all documents of the API have in common. Floor 3."""

from typing import Annotated, Any, TypeVar

import orjson
from django.http import HttpRequest
from ninja import Query, Schema
from ninja.renderers import BaseRenderer
from pydantic import AfterValidator, ConfigDict

from ovd_saas.store.queries import pages


class Body(Schema):
    """A request: unknown fields are errors that name them."""

    model_config = ConfigDict(extra="forbid")


class Answer(Schema):
    """An answer of the platform."""


Item = TypeVar("Item")


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL, UTF-8 no lone surrogate."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("It holds a character that cannot be stored")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Cursor = Annotated[
    str | None, Query(None, description="`next` of the page before; none for the first page.", max_length=500)
]
Limit = Annotated[
    int,
    Query(pages.USUAL_LIMIT, ge=1, le=pages.LARGEST_LIMIT, description="How many items a page holds at most."),
]


class Renderer(BaseRenderer):
    """JSON as RFC 8259, moments as RFC 3339 in UTC."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z)
