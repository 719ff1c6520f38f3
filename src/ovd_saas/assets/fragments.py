"""Fragments: a page, or the one part of it that a script asks for again."""

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist

_NAME = re.compile(r"[a-z]+")


def show(request: HttpRequest, folder: str, context: dict[str, Any]) -> HttpResponse:
    """`FOLDER/page.html`; with the header `X-Fragment: NAME` only `FOLDER/_NAME.html`, from the same context."""
    name = request.headers.get("X-Fragment", "")
    if not name:
        answer = render(request, f"{folder}/page.html", context)
    elif not _NAME.fullmatch(name):
        raise Http404("There is no such part of the page.")
    else:
        try:
            answer = render(request, f"{folder}/_{name}.html", context)
        except TemplateDoesNotExist:
            raise Http404("There is no such part of the page.") from None
    answer["Vary"] = "X-Fragment, Cookie"
    answer["Cache-Control"] = "no-store"
    return answer
