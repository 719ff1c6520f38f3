"""Answers to actions: JSON for the page's script, a redirect with a message for a plain form."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render

from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets.sentences import said


def done(request: HttpRequest, message: str, *, back: str, leave: bool = False, **also: Any) -> HttpResponse:
    """It was done. `back` is the page that shows it; a script goes there only when it must `leave`."""
    if wants_json(request):
        if leave:
            messages.success(request, message)
        return JsonResponse({"message": message, **({"location": back} if leave else {}), **also})
    messages.success(request, message)
    return HttpResponseRedirect(back)


def refused(request: HttpRequest, refusal: Refusal, *, back: str) -> HttpResponse:
    """It was not done, and why; the status is the refusal's."""
    if wants_json(request):
        body = {"title": "Refused", "status": refusal.http, "code": refusal.code, "detail": said(refusal.detail)[0]}
        return JsonResponse(body, status=refusal.http, content_type="application/problem+json")
    return render(request, "ovd/not_done.html", {"refusal": refusal, "back": back}, status=refusal.http)


def wants_json(request: HttpRequest) -> bool:
    return request.accepts("application/json") and not request.accepts("text/html")
