"""Problems: every error of this door leaves as `application/problem+json` (RFC 9457). Floor 3."""

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from inspect import iscoroutinefunction
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.encoding import escape_uri_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from ovd.schema import FieldError
from ovd_saas.appcore import problems
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.store.queries.pages import BadCursor

log = structlog.get_logger()

LONGEST_PATH = 200  # characters of an address that are said back
BELOW = "/api/"  # addresses whose errors are all problems
_LATER = re.compile(r"/executions/[^/]+/replay$|/replays/[^/]+$")
_GATEWAYS = re.compile(r"/api/v1/applications/[a-z0-9-]+/[a-z0-9-]+/(?:executions|intake)")  # it answers their POST


class Invalid(Refusal):
    """The request is not as this operation wants it; the errors name the fields."""

    code = "invalid"
    http = 422

    @classmethod
    def field(cls, field: str, message: str) -> "Invalid":
        return cls(f"{field}: {message}", errors=[FieldError(field, message)])


def answer(
    status: int,
    code: str,
    detail: str,
    errors: Iterable[FieldError] = (),
    retry_after_seconds: int | None = None,
) -> HttpResponse:
    body = orjson.dumps(problems.document(status, code, detail, errors))
    return HttpResponse(
        body,
        status=status,
        content_type=problems.MEDIA_TYPE,
        headers=problems.headers(status, retry_after_seconds),
    )


def of_refusal(refusal: Refusal) -> HttpResponse:
    return answer(refusal.http, refusal.code, refusal.detail, refusal.errors, refusal.retry_after_seconds)


@csrf_exempt
def nothing_there(request: HttpRequest) -> HttpResponse:
    """404 of an address that this API does not have; 405 of one that only the gateway answers."""
    if _GATEWAYS.fullmatch(request.path_info):
        return _not_allowed(request, "POST")
    if _LATER.search(request.path):
        return answer(404, "not_offered", f"{_shown(request)}: replay is not offered by this platform yet.")
    return answer(404, "not_found", f"There is nothing at {_shown(request)}. All addresses are on /api/v1/docs.")


def _not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    problem = answer(405, "method_not_allowed", f"{_shown(request)} takes {allowed}, not {request.method}.")
    problem["Allow"] = allowed
    return problem


def _shown(request: HttpRequest) -> str:
    """The address as it was sent, at a bearable length."""
    path = escape_uri_path(request.path)
    return path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…"


def install(api: NinjaAPI) -> None:
    """Afterwards every exception of an operation becomes a problem."""
    api.add_exception_handler(Refusal, lambda request, error: of_refusal(error))  # type: ignore[arg-type]
    api.add_exception_handler(ValidationError, lambda request, error: of_refusal(_invalid(error)))  # type: ignore[arg-type]
    api.add_exception_handler(HttpError, lambda request, error: _http(error))  # type: ignore[arg-type]
    api.add_exception_handler(Http404, lambda request, error: nothing_there(request))
    api.add_exception_handler(BadCursor, lambda request, error: of_refusal(
        Invalid.field("cursor", "It is not one that this list gave. Begin without a cursor.")))  # fmt: skip
    api.add_exception_handler(MultiPartParserError, lambda request, error: answer(
        400, "bad_request", f"The multipart body cannot be read: {error}."))  # fmt: skip
    api.add_exception_handler(SuspiciousOperation, lambda request, error: answer(
        400, "bad_request", f"The request cannot be read: {error}."))  # fmt: skip
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE >> 20
    api.add_exception_handler(RequestDataTooBig, lambda request, error: answer(
        413, "too_large", f"The request has more than {most} MiB beside files. Send less."))  # fmt: skip
    for too_many in (TooManyFieldsSent, TooManyFilesSent):
        api.add_exception_handler(too_many, lambda request, error: answer(
            413, "too_large", "The multipart body has too many parts. Send fewer."))  # fmt: skip
    for broken in (OperationalError, InterfaceError):
        api.add_exception_handler(broken, _no_database)  # type: ignore[arg-type]
    api.add_exception_handler(Exception, _unexpected)  # type: ignore[arg-type]


@sync_and_async_middleware
def middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Below /api/, what Django itself refuses (405, 400, 413, …) also leaves as a problem."""
    if iscoroutinefunction(get_response):

        async def shaped_later(request: HttpRequest) -> HttpResponseBase:
            return _shaped(request, await get_response(request))

        return shaped_later

    def shaped(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _shaped(request, response)

    return shaped


def _shaped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    status = response.status_code
    media_type = response.headers.get("Content-Type", "")
    is_ours = media_type.startswith((problems.MEDIA_TYPE, "application/json"))
    if status < 400 or is_ours or not request.path_info.startswith(BELOW):
        return response
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = {method.strip() for method in response.headers.get("Allow", "").split(",")} - {""}
        if _GATEWAYS.fullmatch(request.path_info):
            allowed.add("POST")
        return _not_allowed(request, ", ".join(sorted(allowed)))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _apology(request, None)
    phrase = HTTPStatus(status).phrase
    return answer(status, phrase.lower().replace(" ", "_"), f"{request.method} {_shown(request)}: {phrase.lower()}.")


def _invalid(error: ValidationError) -> Invalid:
    errors = [FieldError(_field(one["loc"]), _message(one)) for one in error.errors]
    return Invalid(" ".join(f"{one.field}: {one.message}" for one in errors), errors=errors)


def _field(place: tuple[object, ...]) -> str:
    """`("body", "changes", "title")` → `title`: without the source, and without the name of our own parameter."""
    names = [str(part) for part in place]
    if names[:1] == ["body"]:
        return ".".join(names[2:]) or "body"
    return ".".join(str(part) for part in place[1:] if not isinstance(part, int)) or names[0]


_MESSAGES = {
    "extra_forbidden": "It is not known here. Remove it, or look up its name on /api/v1/docs.",
    "missing": "It is missing.",
    "string_type": "It must be a text.",
    "string_unicode": "It holds a character that cannot be stored.",
    "model_attributes_type": "It must be a JSON object.",
    "int_type": "It must be a whole number.",
    "int_from_float": "It must be a whole number.",
    "int_parsing": "It must be a whole number.",
    "int_parsing_size": "It must be a smaller number.",
    "string_too_short": "It has too few characters; the least is {min_length}.",
    "string_too_long": "It has too many characters; the most is {max_length}.",
    "too_short": "It has too few characters; the least is {min_length}.",
    "too_long": "It has too many characters; the most is {max_length}.",
    "greater_than_equal": "It is too small; the least is {ge}.",
    "less_than_equal": "It is too large; the most is {le}.",
    "literal_error": "It must be one of {expected}.",
}


def _message(error: dict[str, Any]) -> str:
    if error["type"] in _MESSAGES:
        return _MESSAGES[error["type"]].format_map(error.get("ctx", {}))
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{message}."


def _http(error: HttpError) -> HttpResponse:
    if isinstance(error, AuthenticationError):
        return answer(
            401, "unauthorised",
            "Nobody is signed in. Send “Authorization: Bearer ovd_…” with a token that is not revoked.",
        )  # fmt: skip
    if error.status_code == HTTPStatus.FORBIDDEN:
        return answer(
            403, "csrf_failed",
            "The session's CSRF token is missing or wrong. Send it as X-CSRFToken, or use a bearer token.",
        )  # fmt: skip
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return answer(400, "bad_request", "The body is not valid JSON. Send one object, encoded as UTF-8.")
    phrase = HTTPStatus(error.status_code).phrase
    return answer(error.status_code, phrase.lower().replace(" ", "_"), error.message)


def _no_database(request: HttpRequest, error: Exception) -> HttpResponse:
    log.warning("the database did not answer", path=request.path, error=str(error).strip())
    return answer(503, "unavailable", "The database does not answer. Try again.", retry_after_seconds=2)


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    return _apology(request, error)


def _apology(request: HttpRequest, error: Exception | None) -> HttpResponse:
    """500, without a word of the code; the log has it under the same id."""
    id_ = uuid.uuid4().hex[:12]
    log.error("unexpected error", error_id=id_, method=request.method, path=request.path, exc_info=error)
    return answer(500, "internal_error", f"Something unexpected went wrong. The operators find it in the log as {id_}.")
