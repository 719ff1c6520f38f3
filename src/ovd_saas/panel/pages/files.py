"""Files of executions: their bytes, and series and tables as CSV. Floor 3."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.assets import found
from ovd_saas.assets.kinds import PICTURES, fits
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.store.queries import executions

CHUNK = 1 << 18  # bytes


@login_required
@require_safe
def download(request: HttpRequest, id_: UUID, digest: str) -> HttpResponseBase:
    """The bytes of a file that this execution got or gave. Only pictures open in the page; the rest is saved."""
    row = found.execution(found.caller(request), id_)
    file = executions.files_of(row).get(digest)
    if file is None:
        raise Http404("This execution has no such file.")
    try:
        opened = files.open(digest)
    except Missing:
        raise Http404("The file is no longer stored.") from None
    is_inline = file["media_type"] in PICTURES and "download" not in request.GET
    answer = StreamingHttpResponse(
        chunks(opened), content_type=file["media_type"] if is_inline else "application/octet-stream"
    )
    answer["Content-Length"] = str(file["size"])
    answer["Content-Disposition"] = disposition(file["name"], is_inline)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer


async def chunks(opened: BinaryIO) -> AsyncIterator[bytes]:
    """The bytes, piece by piece; afterwards it is closed."""
    try:
        while chunk := await sync_to_async(opened.read, thread_sensitive=False)(CHUNK):
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
    """A series or a table as CSV with a head line, as spreadsheets read it."""
    row = found.execution(found.caller(request), id_)
    sides = {"inputs": row.inputs, "outputs": row.outputs}
    value: Any = (sides.get(side) or {}).get(name)
    text = io.StringIO()
    write = csv.writer(text)
    if fits("series", value):
        times = value.get("times") or range(1, len(value["values"]) + 1)
        write.writerow(["time" if value.get("times") else "index", name])
        write.writerows(zip(times, value["values"], strict=False))
    elif fits("table", value):
        write.writerow(value["columns"])
        write.writerows(value["rows"])
    else:
        raise Http404("This execution has no such series or table.")
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = disposition(f"{name}.csv", False)
    return answer
