"""Search: everything that a person may see, from one box; `/` opens it over any page. Floor 3."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access
from ovd_saas.assets import found, looks, navigation
from ovd_saas.assets.fragments import show as shown
from ovd_saas.store.queries import search

LONGEST = 100  # characters of a question


@dataclass(frozen=True)
class Hit:
    """One line of the answer."""

    url: str
    icon: str
    title: str
    note: str = ""
    look: looks.Look | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Group:
    """The hits of one kind."""

    title: str
    hits: list[Hit]


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The page, and the list in the box over other pages."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    groups = [group for group in _groups(request, text) if group.hits]
    count = sum(len(group.hits) for group in groups)
    said = ngettext("%(count)s found", "%(count)s found", count) % {"count": count}
    context = {"here": "search", "text": text, "groups": groups, "count": count, "said": said}
    return shown(request, "panel/search", context)


def _groups(request: HttpRequest, text: str) -> Iterator[Group]:
    by = found.caller(request)
    places = list(_places(request, text))
    if not text:
        yield Group(_("Pages"), places)
        return
    yield Group(_("Releases"), list(_releases(by, text)))
    yield Group(_("Executions"), list(_executions(by, text)))
    yield Group(_("Applications"), list(_applications(by, text)))
    yield Group(_("Pages"), places)
    yield Group(_("Machines"), list(_machines(by, text)))
    yield Group(_("People"), list(_people(by, text)))


def _places(request: HttpRequest, text: str) -> Iterator[Hit]:
    more = [
        Hit("/tokens/", "key", _("Tokens"), _("Secrets for your programs")),
        Hit("/password/", "lock", _("Change the password"), _("Yours")),
        Hit("/api/v1/docs", "code", _("API"), _("Every operation over HTTP, to try")),
    ]
    places = [Hit(one.url, one.icon, str(one.label), str(one.about)) for one in navigation.of(request)]
    words = text.lower().split()
    for hit in [*places, *more]:
        if all(word in f"{hit.title} {hit.note}".lower() for word in words):
            yield hit


def _applications(by: access.Caller, text: str) -> Iterator[Hit]:
    for row in search.applications(by, text):
        url = reverse("panel:application", args=[row.organisation.slug, row.name])
        yield Hit(url, "apps", row.title or row.name, row.address, looks.application(row))


def _releases(by: access.Caller, text: str) -> Iterator[Hit]:
    for row in search.releases(by, text):
        application = row.application
        url = reverse("panel:release", args=[application.organisation.slug, application.name, row.number])
        title = _("Release %(number)s of %(application)s") % {"number": row.number, "application": application.address}
        yield Hit(url, "package", title, "", looks.of(looks.RELEASES, row.state), row.created_at)


def _executions(by: access.Caller, text: str) -> Iterator[Hit]:
    for row in search.executions(by, text):
        url = reverse("panel:execution", args=[row.pk])
        title = row.application.title or row.application.name
        yield Hit(url, "player-play", title, str(row.pk), looks.of(looks.EXECUTIONS, row.status), row.created_at)


def _machines(by: access.Caller, text: str) -> Iterator[Hit]:
    for row in search.machines(by, text):
        yield Hit(reverse("panel:machines"), "server-2", row.name, "", looks.of(looks.RUNNERS, row.is_up), row.seen_at)


def _people(by: access.Caller, text: str) -> Iterator[Hit]:
    if not navigation.may_enter(by, navigation.MANAGERS):
        return
    owned = None if by.is_staff else [org for org in by.roles if access.may(by, access.MANAGE, org)]
    for row in search.people(owned, text):
        yield Hit(f"/people/?q={row.username}", "user", row.username, row.email or row.get_full_name())
