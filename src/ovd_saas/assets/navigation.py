"""Navigation: the places that a person may go to, in the order of the main menu."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ovd_saas.appcore import access
from ovd_saas.assets import found

STAFF = "staff"  # only those who operate the platform
MANAGERS = "managers"  # and the owners of an organisation


@dataclass(frozen=True)
class Place:
    """One entry of the main menu."""

    key: str  # what a page of it calls `here`
    url: str
    icon: str
    label: str | Promise
    about: str | Promise  # what one does there
    for_whom: str = ""  # STAFF | MANAGERS; empty: everybody who is signed in


PLACES = (
    Place("home", "/home/", "home", _("Home"), _("The fleet, and what needs a person")),
    Place("applications", "/applications/", "apps", _("Applications"), _("All applications, searched and filtered")),
    Place("timeline", "/timeline/", "history", _("Timeline"), _("Everything that happened, with its causes")),
    Place("machines", "/machines/", "server-2", _("Machines"), _("Runners, walls, memory and processes")),
    Place("samples", "/samples/", "photo", _("Samples"), _("Example inputs that applications share")),
    Place("people", "/people/", "users", _("People"), _("Members, roles and invitations"), MANAGERS),
    Place("system", "/system/", "heartbeat", _("System"), _("Health, versions, disk and backup"), STAFF),
)


def of(request: HttpRequest) -> list[Place]:
    """The places that are open to whoever asks."""
    by = found.caller(request)
    return [place for place in PLACES if may_enter(by, place.for_whom)]


def may_enter(by: access.Caller, for_whom: str) -> bool:
    if for_whom == STAFF:
        return by.is_staff
    return for_whom != MANAGERS or by.is_staff or any(access.may(by, access.MANAGE, org) for org in by.roles)
