"""Refusals of the gateway: what is wrong with a request before anything of it is executed. Floor 3."""

from ovd_saas.appcore.refusals import Refusal


class BadRequest(Refusal):
    """It cannot be read: not JSON, cut off, a header that makes no sense."""

    code = "bad_request"
    http = 400


class Unauthorised(Refusal):
    """Nobody knows who calls."""

    code = "unauthorised"
    http = 401


class CsrfFailed(Refusal):
    """A page of somebody else's may have sent it."""

    code = "csrf_failed"
    http = 403


class TooLarge(Refusal):
    """The whole request is larger than any that this application takes."""

    code = "too_large"
    http = 413


class UnsupportedMediaType(Refusal):
    """The body is neither JSON nor multipart."""

    code = "unsupported_media_type"
    http = 415


class Invalid(Refusal):
    """Fields are wrong; `errors` names each."""

    code = "invalid"
    http = 422


class TooManyHeld(Refusal):
    """As many requests as this server holds for one application are waiting."""

    code = "too_many_waiting"
    http = 429


class Down(Refusal):
    """The database is away: nothing was archived, and nothing is promised."""

    code = "unavailable"
    http = 503


class RequestTimeout(Refusal):
    """The rest of the request did not come."""

    code = "request_timeout"
    http = 408
