"""Compression: pages and what they are drawn with go over the wire as gzip; what set-up packed already stays as it is.

Pages get some random bytes more, so that their length tells nothing of what is in them (`compress_string`, BREACH).
"""

import gzip
from collections.abc import Awaitable, Callable
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.utils.text import compress_string

PAGE = "text/html"
DRAWN_WITH = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})
LEAST = 500  # bytes that are worth it
RANDOM = 100  # bytes at most

Answer = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def middleware(get_response: Answer) -> Answer | Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            return _packed(request, await get_response(request))

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        return _packed(request, get_response(request))

    return now


def _packed(request: HttpRequest, answer: HttpResponseBase) -> HttpResponseBase:
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    is_file = isinstance(answer, StreamingHttpResponse)
    if kind not in DRAWN_WITH and (kind != PAGE or is_file):
        return answer
    patch_vary_headers(answer, ("Accept-Encoding",))
    if answer.has_header("Content-Encoding") or request.method != "GET" or answer.status_code != 200:
        return answer
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return answer
    if isinstance(answer, StreamingHttpResponse):
        return answer if answer.is_async else _of_file(answer)
    if isinstance(answer, HttpResponse) and len(answer.content) >= LEAST:
        answer.content = compress_string(answer.content, max_random_bytes=RANDOM)
        _tell(answer, len(answer.content))
    return answer


def _of_file(answer: StreamingHttpResponse) -> HttpResponse:
    """The file as one piece, with the headers that it had."""
    packed = _small(b"".join(answer.streaming_content))  # type: ignore[arg-type]
    if isinstance(answer, FileResponse) and answer.file_to_stream is not None:
        answer.file_to_stream.close()  # not the answer itself: that would end the request
    small = HttpResponse(packed, headers=dict(answer.headers))
    _tell(small, len(packed))
    return small


def _tell(answer: HttpResponse, length: int) -> None:
    answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Content-Length"] = str(length)


@lru_cache(maxsize=64)
def _small(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
