"""Errors of the client: what the platform refused, one exception per kind of refusal (RFC 9457 problems)."""

from typing import Any, Optional

from ovd.schema import FieldError


class OvdError(Exception):
    """The platform refused or could not be reached. `str()` is a sentence for a person.

    `code` is the platform's stable word for the cause; `status` the HTTP status, or None without an answer.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: Optional[int] = None,
        code: str = "",
        errors: "tuple[FieldError, ...]" = (),
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.code = code
        self.errors = errors
        self.retry_after = retry_after  # s until it makes sense to ask again; None = not said

    def __str__(self) -> str:
        lines = [f"  {error.field}: {error.message}" if error.field else f"  {error.message}" for error in self.errors]
        return "\n".join([self.detail, *lines])


class Unreachable(OvdError):
    """No answer came: nothing listens there, the name is unknown, or the connection broke."""


class Silent(Unreachable):
    """The connection stands, but nothing came in time."""


class NotSignedIn(OvdError):
    """401: no token, or one that the platform does not know (any more)."""


class NotAllowed(OvdError):
    """403: the token's owner may not do this."""


class NotFound(OvdError):
    """404: it does not exist, or it belongs to somebody else."""


class Conflict(OvdError):
    """409: the state does not allow it; the detail says why."""


class TooLarge(OvdError):
    """413: the request is larger than the platform takes."""


class InvalidInput(OvdError):
    """400 or 422: `errors` names each field that is wrong."""


class TooManyRequests(OvdError):
    """429: a limit is reached; `retry_after` says when to come back."""


class PlatformFailed(OvdError):
    """5xx, or an answer that is not one: the fault is the platform's."""


_KINDS: "dict[int, type[OvdError]]" = {
    400: InvalidInput,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidInput,
    429: TooManyRequests,
}


def _field_errors(problem: "dict[str, Any]") -> "tuple[FieldError, ...]":
    found = problem.get("errors")
    if not isinstance(found, list):
        return ()
    return tuple(
        FieldError(field=str(item.get("field") or ""), message=str(item.get("message") or "is not accepted."))
        for item in found
        if isinstance(item, dict)
    )


def from_problem(
    status: int, problem: "dict[str, Any]", *, subject: str, retry_after: Optional[float] = None
) -> OvdError:
    """The exception for an answer: its `status`, and its body as `problem` ({} when it was none)."""
    kind = _KINDS.get(status, PlatformFailed if status >= 500 else OvdError)
    detail = str(problem.get("detail") or problem.get("title") or "") or f"{subject}: the platform answered {status}."
    return kind(
        detail,
        status=status,
        code=str(problem.get("code") or ""),
        errors=_field_errors(problem),
        retry_after=retry_after,
    )
