"""Pages that say no, and why; to programs as problem+json. Floor 3."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from ovd_saas.appcore import problems


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if _is_program(request):
        return _problem(400, "bad_request", "The request was not understood. Nothing was changed.")
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if _is_program(request):
        return _problem(403, "forbidden", str(exception or "This is not allowed."))
    return render(request, "403.html", {"exception": str(exception or "")}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if _is_program(request):
        return _problem(404, "not_found", "Nothing lives at this address, or it is not yours to see.")
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs neither the database nor a session."""
    if _is_program(request):
        return _problem(500, "internal", "Something broke on our side; it is in the log of the web process. Try again.")
    return HttpResponse(render_to_string("500.html"), status=500)


def _is_program(request: HttpRequest) -> bool:
    """Whoever calls the API, and the scripts of our pages."""
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    return request.path.startswith("/api/") or wants_json


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    body = problems.document(status, code, detail)
    return JsonResponse(body, status=status, content_type=problems.MEDIA_TYPE)
