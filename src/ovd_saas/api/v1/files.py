"""Files of executions: the bytes of inputs and outputs. Floor 3."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import BinaryIO
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from ninja import Router

from ovd_saas.api.callers import Request
from ovd_saas.api.problems import Invalid
from ovd_saas.api.v1 import lookups
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.files import Missing, store
from ovd_saas.store.queries.executions import files_of

router = Router(tags=["executions"])

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"}  # others are downloads

_DOCUMENTED = {
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


@router.get("/executions/{uuid:execution_id}/files/{str:digest}", summary="Bytes of a file", openapi_extra=_DOCUMENTED)
def read_file(request: Request, execution_id: UUID, digest: str) -> HttpResponseBase:
    """Only files to which inputs or outputs of this execution refer."""
    execution = lookups.execution(request, execution_id)
    file = files_of(execution).get(digest)
    if file is None:
        raise NotFound(f"Execution {execution_id} has no file {digest}. It may have been taken down.")
    if _is_known(request.headers.get("If-None-Match", ""), digest):
        return _with_headers(HttpResponse(status=304), digest)
    try:
        size, opened = store.size(digest), store.open(digest)
    except Missing:
        raise NotFound(f"The bytes of file {digest} are no longer stored.") from None
    media_type = str(file["media_type"])
    media_type = media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
    response = _part(opened, size, request.headers.get("Range"), media_type)
    is_download = media_type not in SHOWN
    name = _CONTROL.sub("_", str(file.get("name") or "file"))
    response["Content-Disposition"] = content_disposition_header(is_download, name) or ""
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
    """What a stranger sent may not do anything in a browser."""
    response["ETag"] = f'"{digest}"'
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
