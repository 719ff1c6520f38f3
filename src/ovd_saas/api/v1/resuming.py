"""Resuming: where a client left a stream of events. Floor 3."""

from typing import Any

from django.http import HttpRequest

from ovd_saas.api.problems import Invalid

_LARGEST = 2**63 - 1
LAST_EVENT_ID: dict[str, Any] = {  # for the OpenAPI document
    "in": "header",
    "name": "Last-Event-ID",
    "schema": {"type": "string"},
    "required": False,
    "description": "The id of the last event that was received: only what follows is sent.",
}


def last_event_id(request: HttpRequest) -> int:
    """The header `Last-Event-ID`; 0 without one. Raises Invalid."""
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _LARGEST:
        raise Invalid.field("Last-Event-ID", "It is not one that this stream gave. Send the id of an event, or none.")
    return int(text)
