"""Release files: the archive as a download, and the build log from where a page has it. Floor 3."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.assets import found
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.panel.pages.files import chunks, disposition
from ovd_saas.panel.pages.releases import release
from ovd_saas.store.queries import releases

LONGEST = 200_000  # characters of log in one answer


@login_required
@require_safe
def archive(request: HttpRequest, org: str, name: str, number: int) -> HttpResponseBase:
    """The tar.gz as it was pushed."""
    row = release(found.application(found.caller(request), org, name), number)
    try:
        opened = files.open(row.digest)
    except Missing:
        raise Http404("The archive is no longer stored.") from None
    answer = StreamingHttpResponse(chunks(opened, row.size), content_type="application/gzip")
    answer["Content-Length"] = str(row.size)
    answer["Content-Disposition"] = disposition(f"{name}-{number}.tar.gz", False)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    return answer


@login_required
@require_safe
def log(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """What the build printed after its first `after` characters; or all of it, as a text."""
    row = release(found.application(found.caller(request), org, name), number)
    if "after" not in request.GET:
        answer = HttpResponse(row.log, content_type="text/plain; charset=utf-8")
        answer["Content-Disposition"] = disposition(f"{name}-{number}-build.txt", False)
        return answer
    after = request.GET["after"]
    piece = releases.log_from(row.pk, int(after) if after.isdecimal() and len(after) < 10 else 0)
    return JsonResponse({"text": piece.text[:LONGEST], "length": piece.length, "state": piece.state})
