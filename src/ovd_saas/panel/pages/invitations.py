"""Invitations: the page that a link opens: make an account, or join with the one that is there. Floor 3."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ovd_saas.appcore import invitations, passwords, people
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers
from ovd_saas.panel.pages.people import ROLES
from ovd_saas.store.records import Invitation

_ABOUT_THE_FORM = (
    invitations.BadName,
    invitations.NameTaken,
    invitations.MemberAlready,
    people.BadAddress,
    passwords.Weak,
)


@sensitive_post_parameters("password", "again")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, secret: str) -> HttpResponse:
    """What it offers, and the form that takes it; one that is over says so."""
    problem = ""
    try:
        invitation = invitations.look(secret, now=timezone.now())
        if request.method == "POST":
            return _take(request, invitation, secret)
    except _ABOUT_THE_FORM as refusal:
        problem = refusal.detail
    except Refusal as refusal:
        return render(request, "panel/invitation/over.html", {"refusal": refusal}, status=refusal.http)
    return _page(request, invitation, problem)


def _take(request: HttpRequest, invitation: Invitation, secret: str) -> HttpResponse:
    now = timezone.now()
    if request.user.is_authenticated:
        invitations.accept(secret=secret, user=request.user, now=now)
    else:
        password = request.POST.get("password", "")
        if password != request.POST.get("again", ""):
            return _page(request, invitation, _("The two passwords differ. Type the same one twice."))
        name, email = request.POST.get("username", ""), request.POST.get("email", "")
        user = invitations.enrol(secret=secret, username=name, email=email, password=password, now=now)
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    said = _("Welcome to %(organisation)s.") % {"organisation": invitation.organisation.title}
    return answers.done(request, said, back=reverse("panel:home"), leave=True)


def _page(request: HttpRequest, invitation: Invitation, problem: str) -> HttpResponse:
    context = {
        "invitation": invitation,
        "role": ROLES[invitation.role],
        "problem": problem,
        "username": request.POST.get("username", ""),
        "email": request.POST.get("email", invitation.email),
    }
    return render(request, "panel/invitation/page.html", context, status=422 if problem else 200)
