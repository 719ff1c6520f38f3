"""Downloads: stored bytes as an answer, with ranges and tags, and harmless in a browser. Floor 3."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from ovd_saas.api.problems import Invalid
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.files import Missing, store

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"}  # others are downloads

DOCUMENTED: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The bytes.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        206: {"description": "The part that `Range` asks for."},
        304: {"description": "`If-None-Match` names these bytes."},
    }
}


class Unsatisfiable(Refusal):
    """The range begins behind the end."""

    code = "range_not_satisfiable"
    http = 416


def answer(request: HttpRequest, digest: str, *, name: str, media_type: str) -> HttpResponseBase:
    """The bytes under `digest`, or the part that the request wants; a browser shows pictures and texts, and saves the
    rest under `name`. Raises NotFound, Unsatisfiable, Invalid."""
    if _is_known(request.headers.get("If-None-Match", ""), digest):
        return _with_headers(HttpResponse(status=304), digest)
    try:
        size, opened = store.size(digest), store.open(digest)
    except Missing:
        raise NotFound(f"The bytes of file {digest} are no longer stored.") from None
    media_type = media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
    response = _part(opened, size, request.headers.get("Range"), media_type)
    is_download = media_type not in SHOWN
    response["Content-Disposition"] = content_disposition_header(is_download, _CONTROL.sub("_", name)) or ""
    return _with_headers(response, digest)


def _is_known(tags: str, digest: str) -> bool:
    """Whether `If-None-Match` names these bytes (RFC 9110, 13.1.2): any of a list, weak ones too."""
    named = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    return "*" in named or f'"{digest}"' in named


def _part(file: BinaryIO, size: int, wanted: str | None, media_type: str) -> HttpResponseBase:
    """All of it, or the one range that is wanted; several ranges at once are answered with all of it."""
    match = _RANGE.fullmatch(wanted or "")
    start, end = _bounds(match[1], match[2], size) if match else (0, size)
    if match and start >= end:
        file.close()
        raise Unsatisfiable(f"The file has {size} bytes; {wanted} is outside of it.")
    response = StreamingHttpResponse(
        _bytes(file, start, end - start), content_type=media_type, status=206 if match else 200
    )
    response["Content-Length"] = str(end - start)
    if match:
        response["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Begin and end (exclusive) of a range as in RFC 9110, 14.1.2."""
    if not first and not last:
        raise Invalid.field("Range", "It names no bytes. Send bytes=FIRST-LAST.")
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


async def _bytes(file: BinaryIO, start: int, length: int) -> AsyncIterator[bytes]:
    with file:
        if start:
            await asyncio.to_thread(file.seek, start)
        while length:
            chunk = await asyncio.to_thread(file.read, min(store.CHUNK, length))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk


def _with_headers(response: HttpResponseBase, digest: str) -> HttpResponseBase:
    """Of all the bytes (RFC 9530), also beside a part. What a stranger sent may not do anything in a browser."""
    response["ETag"] = f'"{digest}"'
    response["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(digest.removeprefix('sha256:'))).decode()}:"
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
