"""Passwords: change one's own; ask for a link by e-mail; set a new one with a link. Floor 3."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ovd_saas.appcore import letters, passwords
from ovd_saas.appcore import people as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers
from ovd_saas.store.queries import people
from ovd_saas.store.records import User


@login_required
@sensitive_post_parameters("old", "password", "again")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    """One's own; this session stays, others end."""
    problem, user = "", cast(User, request.user)
    if request.method == "POST":
        try:
            problem = _differ(request)
            if not problem:
                passwords.change(user=user, old=request.POST.get("old", ""), new=request.POST.get("password", ""))
                update_session_auth_hash(request, user)
                messages.success(request, _("Your password is changed. Other browsers have to sign in again."))
                return HttpResponseRedirect(reverse("panel:home"))
        except Refusal as refusal:
            problem = refusal.detail
    context = {"here": "password", "problem": problem, "email": user.email}
    return render(request, "panel/passwords/change.html", context, status=422 if problem else 200)


@login_required
@require_POST
def email(request: HttpRequest) -> HttpResponse:
    """Where links for a new password go to."""
    back = reverse("panel:password")
    try:
        verbs.change_email(user=cast(User, request.user), email=request.POST.get("email", ""))
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("Your e-mail address is kept."), back=back)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Sends a link, where e-mail is set up; says the same whether or not somebody has the address."""
    is_sent = False
    if request.method == "POST" and letters.can_send():
        for user in people.by_email(request.POST.get("email", "").strip()):
            _send_link(user)
        is_sent = True
    return render(request, "panel/passwords/forgotten.html", {"can_send": letters.can_send(), "is_sent": is_sent})


def _send_link(user: User) -> None:
    path = reverse("panel:reset_password", args=passwords.parts(user))
    lines = [
        _("Somebody, probably you, asked for a new password for OVD-SaaS. Your name is %(name)s.")
        % {"name": user.username},
        letters.address(path),
        _("The link is good for a day, once. If it was not you, do nothing: the present password stays."),
    ]
    letters.send(user.email, _("A new password for OVD-SaaS"), "\n\n".join(lines))


@sensitive_post_parameters("password", "again")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Sets a new password; afterwards one signs in with it."""
    problem = ""
    try:
        user = passwords.whose(uid, token)
        if request.method == "POST":
            problem = _differ(request)
            if not problem:
                passwords.reset(uid=uid, token=token, password=request.POST.get("password", ""))
                messages.success(request, _("Your password is set. Sign in with it."))
                return HttpResponseRedirect(reverse("panel:login"))
    except passwords.Weak as refusal:
        problem = refusal.detail
    except Refusal as refusal:
        return render(request, "panel/invitation/over.html", {"refusal": refusal}, status=refusal.http)
    context = {"person": user, "problem": problem}
    return render(request, "panel/passwords/reset.html", context, status=422 if problem else 200)


def _differ(request: HttpRequest) -> str:
    is_same = request.POST.get("password", "") == request.POST.get("again", "")
    return "" if is_same else _("The two passwords differ. Type the same one twice.")
