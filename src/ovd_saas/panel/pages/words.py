"""Words: what the API said in English, in the language of the page whose script asked it. Floor 3."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from ovd_saas.assets import sentences

MOST = 50  # sentences at once


@require_safe
def said(request: HttpRequest) -> HttpResponse:
    """`?text=…&text=…`: each in the language of the page, or as it is where nobody has translated it."""
    return JsonResponse({"said": [sentences.said(text)[0] for text in request.GET.getlist("text")[:MOST]]})
