"""People: who belongs to which organisation with which role; invite, change, remove, deactivate. Floor 3.

Staff see everybody; owners the members of their organisations; for others there is no such page.
"""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access, invitations, letters, passwords
from ovd_saas.appcore import people as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found, navigation
from ovd_saas.assets.fragments import show as shown
from ovd_saas.store.queries import people
from ovd_saas.store.records import Organisation, User

PER_PAGE = 50
MOST_CHOICES = 50  # organisations in a list to choose from; beyond, the name is typed
_SHOWN_ONCE = "link_shown_once"  # key of the session: a reload shows it no more

ROLES = {
    "owner": (gettext_lazy("owner"), gettext_lazy("everything, also who belongs here")),
    "author": (gettext_lazy("author"), gettext_lazy("uses it, sends data, pushes releases")),
    "operator": (gettext_lazy("operator"), gettext_lazy("uses it, sends data, wakes, suspends, promotes")),
    "member": (gettext_lazy("member"), gettext_lazy("uses it and sends data")),
}


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    by = _manager(request)
    owned = _owned(by)
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    organisation = request.GET.get("org", "")[:50]
    page = Paginator(people.found(owned, text=text, organisation=organisation), PER_PAGE).get_page(
        request.GET.get("page")
    )
    mine = [row for row in people.organisations_of(by)[: MOST_CHOICES + 1] if owned is None or row.slug in owned]
    context = {
        "here": "people",
        "page": page,
        "persons": [(one, _may_link(one, by)) for one in people.persons(list(page), owned)],
        "invitations": list(people.invitations(owned, timezone.now())[:100]),
        "organisations": mine if len(mine) <= MOST_CHOICES else [],
        "roles": ROLES,
        "text": text,
        "organisation": organisation,
        "fresh": request.session.pop(_SHOWN_ONCE, None) if "X-Fragment" not in request.headers else None,
        "can_send": letters.can_send(),
        "me": by.user_id,
        "is_staff": by.is_staff,
    }
    return shown(request, "panel/people", context)


@login_required
@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    """Makes a link, shown once on the page that follows; sent as well where e-mail is set up."""
    by = _manager(request)
    organisation = _organisation(request.POST.get("organisation", ""), by)
    email, role = request.POST.get("email", ""), request.POST.get("role", "")
    try:
        made, secret = invitations.invite(
            organisation=organisation, role=role, email=email, by=by.actor, by_id=by.user_id, now=timezone.now()
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    path = reverse("panel:invitation", args=[secret])
    title = _("An invitation to %(organisation)s as %(role)s") % {
        "organisation": organisation.slug, "role": str(ROLES[made.role][0])
    }  # fmt: skip
    lines = [
        _("%(who)s invites you to %(organisation)s on OVD-SaaS, as %(role)s.") % {
            "who": by.username, "organisation": organisation.title, "role": str(ROLES[made.role][0])
        },
        letters.address(path),
        _("The link is good for %(days)s days, once.") % {"days": invitations.VALID.days},
    ]  # fmt: skip
    return _show_once(request, title, path, made.email, lines)


@login_required
@require_POST
def revoke(request: HttpRequest, id_: int) -> HttpResponse:
    by = _manager(request)
    invitation = people.invitation(id_)
    if invitation is None or not access.may(by, access.MANAGE, invitation.organisation.slug):
        raise Http404("No such invitation.")
    try:
        invitations.revoke(invitation=invitation, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    return answers.done(request, _("The invitation is revoked: its link opens nothing any more."), back=_back())


@login_required
@require_POST
def act(request: HttpRequest, username: str) -> HttpResponse:
    """What a form of a person's row asks for: role, remove, deactivate, reactivate."""
    by = _manager(request)
    user = _user(username, by)
    action = request.POST.get("action", "")
    try:
        if action not in _ACTIONS:
            raise Http404("There is no such action.")
        said = _ACTIONS[action](request, user, by)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    return answers.done(request, said, back=_back())


def _change_role(request: HttpRequest, user: User, by: access.Caller) -> str:
    organisation = _organisation(request.POST.get("organisation", ""), by)
    made = verbs.change_role(
        organisation=organisation, user=user, to=request.POST.get("role", ""), was=request.POST.get("was", ""),
        by=by.actor,
    )  # fmt: skip
    return _("%(who)s is %(role)s of %(organisation)s now.") % {
        "who": user.username, "role": str(ROLES[made.role][0]), "organisation": organisation.slug
    }  # fmt: skip


def _remove(request: HttpRequest, user: User, by: access.Caller) -> str:
    organisation = _organisation(request.POST.get("organisation", ""), by)
    verbs.remove(organisation=organisation, user=user, by=by.actor)
    return _("%(who)s is no member of %(organisation)s any more.") % {
        "who": user.username, "organisation": organisation.slug
    }  # fmt: skip


def _deactivate(request: HttpRequest, user: User, by: access.Caller) -> str:
    verbs.deactivate(user=user, by=by)
    return _("%(who)s cannot sign in any more, and their tokens open nothing.") % {"who": user.username}


def _reactivate(request: HttpRequest, user: User, by: access.Caller) -> str:
    verbs.reactivate(user=user, by=by)
    return _("%(who)s can sign in again.") % {"who": user.username}


_ACTIONS = {"role": _change_role, "remove": _remove, "deactivate": _deactivate, "reactivate": _reactivate}


@login_required
@require_POST
def link(request: HttpRequest, username: str) -> HttpResponse:
    """Makes a link with which this person sets a new password; shown once."""
    by = _manager(request)
    user = _user(username, by)
    try:
        parts = passwords.link(user=user, by=by)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back())
    path = reverse("panel:reset_password", args=parts)
    title = _("A link with which %(who)s sets a new password") % {"who": user.username}
    lines = [
        _("With this link you set a new password for OVD-SaaS; your name is %(name)s.") % {"name": user.username},
        letters.address(path),
        _("It is good for a day, once."),
    ]
    return _show_once(request, title, path, user.email, lines)


def _show_once(request: HttpRequest, title: str, path: str, email: str, lines: list[str]) -> HttpResponse:
    """The next page shows the link; a letter takes it to its address, where there is one and e-mail is set up."""
    why_not = letters.send(email, title, "\n\n".join(lines)) if email and letters.can_send() else ""
    fresh: dict[str, Any] = {"title": title, "link": request.build_absolute_uri(path), "why_not": why_not}
    fresh["sent_to"] = email if email and letters.can_send() and not why_not else ""
    request.session[_SHOWN_ONCE] = fresh
    return HttpResponseRedirect(_back())


def _manager(request: HttpRequest) -> access.Caller:
    """Who asks, if this page is for them. Raises Http404."""
    by = found.caller(request)
    if not navigation.may_enter(by, navigation.MANAGERS):
        raise Http404("Only owners of an organisation see its people.")
    return by


def _owned(by: access.Caller) -> list[str] | None:
    """The organisations whose people they see; None: all."""
    return None if by.is_staff else [org for org in by.roles if access.may(by, access.MANAGE, org)]


def _organisation(slug: str, by: access.Caller) -> Organisation:
    row = people.organisation(slug) if access.may(by, access.MANAGE, slug) else None
    if row is None:
        raise Http404("No such organisation, or it is not yours.")
    return row


def _user(username: str, by: access.Caller) -> User:
    user = people.by_name(username)
    owned = _owned(by)
    if user is None or (owned is not None and not people.found(owned).filter(pk=user.pk).exists()):
        raise Http404("No such person among those whom you see.")
    return user


def _may_link(person: people.Person, by: access.Caller) -> bool:
    """As `passwords.require_link` judges, of what was read already."""
    if by.is_staff or not person.user.is_active:
        return person.user.is_active
    return bool(person.memberships) and not person.has_more and not person.user.is_staff


def _back() -> str:
    return reverse("panel:people")
