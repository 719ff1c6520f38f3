"""Callers: who sends a request, by bearer token or by the panel's session. Floor 3."""

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from ovd_saas.api import uploads
from ovd_saas.appcore import access
from ovd_saas.appcore.access import Caller
from ovd_saas.store.records import User


class Request(HttpRequest):
    """A request whose caller is known."""

    auth: Caller


class Bearer(HttpBearer):
    """`Authorization: Bearer ovd_…`."""

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        uploads.expect(request)
        return access.authenticate(token.strip())


class Session(APIKeyCookie):
    """The session of the Control Panel; what changes something needs its CSRF token, too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Caller | None:
        if "Authorization" in request.headers or not request.COOKIES.get(self.param_name):
            return None  # a token that opens nothing is not made good by a session
        if not isinstance(request.user, User):
            return None  # the session has ended: 401, not a word about CSRF
        uploads.expect(request)
        caller: Caller | None = super().__call__(request)
        return caller

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        return access.of_user(request.user) if isinstance(request.user, User) else None


ANY = (Bearer(), Session())
