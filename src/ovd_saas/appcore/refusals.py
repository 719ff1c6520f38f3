"""Refusals: what AppCore answers instead of doing it, worded for a person. Floor 2.

Each verb's own refusals are subclasses that live beside the verb; a door turns any of them into one JSON shape.
"""

from collections.abc import Sequence

from ovd.schema import FieldError


class Refusal(Exception):
    """`code` is stable, `http` is the status a door answers with, `detail` says subject, cause and cure."""

    code = "refused"
    http = 409

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.retry_after_seconds = retry_after_seconds


class NotFound(Refusal):
    """It does not exist, or is not the caller's business."""

    code = "not_found"
    http = 404


class Forbidden(Refusal):
    """The caller may see it, but not do this."""

    code = "forbidden"
    http = 403
