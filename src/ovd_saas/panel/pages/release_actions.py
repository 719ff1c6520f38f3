"""Release actions: make current, withdraw, restore, build again, run its samples again. Floor 3."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access
from ovd_saas.appcore import releases as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.panel.pages.releases import release
from ovd_saas.store.records import Release

Undo = dict[str, str] | None


class UnknownAction(Refusal):
    """A form that was not ours."""

    code = "unknown_action"
    http = 400


@login_required
@require_POST
def act(request: HttpRequest, org: str, name: str, number: int, action: str = "") -> HttpResponse:
    """One action."""
    by = found.caller(request)
    row = release(found.application(by, org, name, access.PUSH), number)
    back = reverse("panel:release", args=[org, name, number])
    action = action or request.POST.get("action", "")
    try:
        if action not in _ACTIONS:
            raise UnknownAction(f"There is no action {action!r}. There are: {', '.join(_ACTIONS)}.")
        said, undo = _ACTIONS[action](request, by, row)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    also: dict[str, Any] = {"undo": undo} if undo else {}
    return answers.done(request, said, back=back, **also)


def _address(row: Release, number: int) -> str:
    place = row.application
    return reverse("panel:release_act", args=[place.organisation.slug, place.name, number])


def _use(request: HttpRequest, by: access.Caller, row: Release) -> tuple[str, Undo]:
    before = row.application.release
    application = verbs.use(release=row, by=by.actor, now=timezone.now())
    undo = {"url": _address(row, before.number), "action": "use"} if before and before.pk != row.pk else None
    if application.release_id == row.pk:
        return _("Release {number} is current.").format(number=row.number), undo
    said = _("Release {number} takes over as soon as a process of it is ready.").format(number=row.number)
    return said, undo


def _withdraw(request: HttpRequest, by: access.Caller, row: Release) -> tuple[str, Undo]:
    verbs.withdraw(release=row, reason=request.POST.get("reason", ""), by=by.actor, now=timezone.now())
    said = _("Release {number} is withdrawn: nobody can make it current.").format(number=row.number)
    return said, {"url": _address(row, row.number), "action": "restore"}


def _restore(request: HttpRequest, by: access.Caller, row: Release) -> tuple[str, Undo]:
    verbs.restore(release=row)
    return _("Release {number} can be made current again.").format(number=row.number), None


def _build(request: HttpRequest, by: access.Caller, row: Release) -> tuple[str, Undo]:
    verbs.build_again(release=row)
    return _("Release {number} is being built again.").format(number=row.number), None


def _check(request: HttpRequest, by: access.Caller, row: Release) -> tuple[str, Undo]:
    verbs.check_again(release=row, by=by.actor, now=timezone.now())
    return _("The samples of release {number} are being run.").format(number=row.number), None


_ACTIONS: dict[str, Callable[[HttpRequest, access.Caller, Release], tuple[str, Undo]]] = {
    "use": _use,
    "withdraw": _withdraw,
    "restore": _restore,
    "build": _build,
    "check": _check,
}
