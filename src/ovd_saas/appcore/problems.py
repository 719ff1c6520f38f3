"""Problems: the one JSON shape in which every door says no (RFC 9457). Floor 2; knows no web framework."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from ovd.schema import FieldError
from ovd_saas.appcore.refusals import Refusal

MEDIA_TYPE = "application/problem+json"
LONGEST = 2000  # characters of a text; what a stranger sent is not sent back at any length
LONGEST_FIELD = 200


def document(status: int, code: str, detail: str, errors: Iterable[FieldError] = ()) -> dict[str, Any]:
    """`{type, title, status, code, detail, errors: [{field, message}]}`; programs compare `code`, people read `detail`.

    `type` is `about:blank`, so `title` is the phrase of the HTTP status (RFC 9457, 4.2.1).
    """
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": _short(detail, LONGEST),
        "errors": [
            {"field": _short(error.field, LONGEST_FIELD), "message": _short(error.message, LONGEST)} for error in errors
        ],
    }


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def of_refusal(refusal: Refusal) -> dict[str, Any]:
    return document(refusal.http, refusal.code, refusal.detail, refusal.errors)


def headers(status: int, retry_after_seconds: int | None = None) -> dict[str, str]:
    """The headers that go with a problem beside its media type."""
    found = {"Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = 'Bearer realm="ovd"'
    if retry_after_seconds is not None:
        found["Retry-After"] = str(max(1, retry_after_seconds))
    return found
