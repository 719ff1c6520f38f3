"""Strictness: query parameters that an operation does not know, and bodies of another kind, are errors. Floor 3."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest
from ninja.operation import Operation

from ovd.schema import FieldError
from ovd_saas.api.problems import Invalid, of_refusal
from ovd_saas.appcore.refusals import Refusal


class UnsupportedMediaType(Refusal):
    """The body is of a kind that the operation does not read."""

    code = "unsupported_media_type"
    http = 415


def strictly(run: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the `run` of a ninja operation."""
    operation: Operation = getattr(run, "__self__")  # noqa: B009 - ninja decorates the bound method
    known = {
        name
        for model in operation.models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    }
    takes_json = any(model.__ninja_param_source__ == "body" for model in operation.models)
    assert not iscoroutinefunction(run), "operations are plain functions; streams are made by api/streams.py"

    @wraps(run)
    def strict(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        unknown = [name for name in request.GET if name not in known]
        if unknown:
            return of_refusal(_unknown(unknown, known))
        if takes_json and not _is_json(request):
            return of_refusal(
                UnsupportedMediaType(f"Send application/json, not {(request.content_type or '')[:60]!r}.")
            )
        return run(request, *args, **kwargs)

    return strict


def _is_json(request: HttpRequest) -> bool:
    """A body that does not say what it is counts as JSON, and so does none at all."""
    if request.headers.get("Content-Length") == "0":
        return True
    kind = (request.content_type or "application/json").lower()
    return kind == "application/json" or kind.endswith("+json")


def _unknown(names: list[str], known: set[str]) -> Invalid:
    takes = f"takes {', '.join(sorted(known))}" if known else "takes none"
    errors = [FieldError(name, f"It is no query parameter of this operation, which {takes}.") for name in names]
    return Invalid(" ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)
