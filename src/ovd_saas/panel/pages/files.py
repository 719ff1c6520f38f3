"""Files of executions: their bytes, and series and tables as CSV or JSON. Floor 3."""

import csv
import io
import re
from collections.abc import AsyncIterator
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.assets import found
from ovd_saas.assets.kinds import INLINE, fits
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store.queries import executions
from ovd_saas.store.records import Execution

CHUNK = 1 << 18  # bytes
PRIVATE = "private, max-age=86400, immutable"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@login_required
@require_safe
def download(request: HttpRequest, id_: UUID, digest: str) -> HttpResponseBase:
    """The bytes of a file that this execution got or gave."""
    return of_execution(request, found.execution(found.caller(request), id_), digest)


def of_execution(request: HttpRequest, row: Execution, digest: str) -> HttpResponseBase:
    """For a row that the reader may see."""
    file = executions.files_of(row).get(digest)
    if file is None:
        raise Http404("This execution has no such file.")
    return send(request, digest, name=file["name"], media_type=file["media_type"])


def send(request: HttpRequest, digest: str, *, name: str, media_type: str) -> HttpResponseBase:
    """Bytes, or the range of them that a player asks for. Pictures, sound and film open in the page; the rest is saved,
    so that nothing that somebody sent runs as a page of ours."""
    try:
        size, opened = files.size(digest), files.open(digest)
    except Missing:
        raise Http404("The file is no longer stored.") from None
    is_inline = media_type in INLINE and "download" not in request.GET
    first, last = _range(request.headers.get("Range", ""), size) or (0, size - 1)
    is_part = (first, last) != (0, size - 1)
    if first > last and size:
        opened.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    opened.seek(first)
    answer = StreamingHttpResponse(
        chunks(opened, last - first + 1),
        content_type=media_type if is_inline else "application/octet-stream",
        status=206 if is_part else 200,
    )
    if is_part:
        answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    answer["Accept-Ranges"] = "bytes"
    answer["Content-Length"] = str(last - first + 1)
    answer["Content-Disposition"] = disposition(name, is_inline)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = PRIVATE
    return answer


def _range(text: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte of one range (RFC 9110, 14.1.2); None: all of it."""
    asked = _RANGE.fullmatch(text.strip())
    if asked is None or not any(asked.groups()):
        return None
    if not asked[1]:
        return max(0, size - int(asked[2])), size - 1
    return int(asked[1]), min(int(asked[2]), size - 1) if asked[2] else size - 1


async def chunks(opened: BinaryIO, most: int) -> AsyncIterator[bytes]:
    """At most so many bytes, piece by piece; afterwards it is closed."""
    try:
        while most > 0 and (chunk := await sync_to_async(opened.read, thread_sensitive=False)(min(CHUNK, most))):
            most -= len(chunk)
            yield chunk
    finally:
        opened.close()


def disposition(name: str, is_inline: bool) -> str:
    """The header that names the file, with any letters."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    return f"{'inline' if is_inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


@login_required
@require_safe
def values(request: HttpRequest, id_: UUID, side: str, name: str) -> HttpResponse:
    """A series or a table of an execution."""
    return values_of(request, found.execution(found.caller(request), id_), side, name)


def values_of(request: HttpRequest, row: Execution, side: str, name: str) -> HttpResponse:
    """As CSV with a head line, as spreadsheets read it; with `?rows` a table as JSON, for the page that sorts it."""
    sides = {"inputs": row.inputs, "outputs": row.outputs}
    value: Any = (sides.get(side) or {}).get(name)
    text = io.StringIO()
    write = csv.writer(text)
    if fits("series", value):
        times = value.get("times") or range(1, len(value["values"]) + 1)
        write.writerow(["time" if value.get("times") else "index", name])
        write.writerows(zip(times, value["values"], strict=False))
    elif fits("table", value):
        if "rows" in request.GET:
            return JsonResponse({"data": value["rows"]})
        write.writerow(value["columns"])
        write.writerows(value["rows"])
    else:
        raise Http404("This execution has no such series or table.")
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = disposition(f"{name}.csv", False)
    return answer
