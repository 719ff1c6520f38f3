"""Tokens: one's own secrets for programs: make, show once, revoke. Floor 3."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from ovd_saas.appcore import access
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers
from ovd_saas.store.records import Token, User

_SHOWN_ONCE = "token_shown_once"  # key of the session: a reload shows it no more


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """The list, and the form that adds to it. The secret is shown by the page that follows, once."""
    user = cast(User, request.user)
    problem = ""
    if request.method == "POST":
        try:
            token, secret = access.issue(user, request.POST.get("name", ""))
            request.session[_SHOWN_ONCE] = [token.name, secret]
            return HttpResponseRedirect(reverse("panel:tokens"))
        except Refusal as refusal:
            problem = refusal.detail
    context = {
        "here": "tokens",
        "tokens": Token.objects.filter(user=user).order_by("revoked_at", "-created_at"),
        "fresh": request.session.pop(_SHOWN_ONCE, None),
        "problem": problem,
        "address": request.build_absolute_uri("/"),
    }
    answer = render(request, "panel/tokens/page.html", context, status=422 if problem else 200)
    answer["Cache-Control"] = "no-store"
    return answer


@login_required
@require_POST
def revoke(request: HttpRequest, id_: int) -> HttpResponse:
    token = Token.objects.filter(pk=id_, user=cast(User, request.user)).first()
    if token is None:
        raise Http404("No such token.")
    access.revoke(token, timezone.now())
    message = _("Token “%(name)s” is revoked: programs that use it are refused from now on.") % {"name": token.name}
    return answers.done(request, message, back=reverse("panel:tokens"), leave=True)
