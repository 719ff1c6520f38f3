"""Languages: each page in the language that the person chose, else the first of the browser's that we have.

The choice is Django's cookie, which `/i18n/setlang/` sets. Programs get the API in English, whatever they accept.
"""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

FOR_PROGRAMS = ("/api/", "/metrics")

Answer = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def middleware(get_response: Answer) -> Answer | Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """What runs below it speaks the language of the request; afterwards the thread speaks as before."""
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            with translation.override(_choose(request)):
                return _told(request, await get_response(request))

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        with translation.override(_choose(request)):
            return _told(request, get_response(request))

    return now


def _choose(request: HttpRequest) -> str:
    if request.path_info.startswith(FOR_PROGRAMS):
        language = settings.LANGUAGE_CODE
    else:
        language = translation.get_language_from_request(request)
    request.LANGUAGE_CODE = language
    return language


def _told(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    """Caches keep one answer for each language."""
    if not request.path_info.startswith(FOR_PROGRAMS):
        patch_vary_headers(answer, ("Accept-Language",))
        answer.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
    return answer
