"""Actions: what a person does to an application by a button. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access, adoptions
from ovd_saas.appcore import applications as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.domain import applications as rules

UNDO = {"suspend": "enable"}
SAID = {
    "wake": gettext_lazy("{name} wakes now."),
    "sleep": gettext_lazy("{name} falls asleep as soon as what runs has finished."),
    "suspend": gettext_lazy("{name} is suspended: nothing starts any more."),
    "enable": gettext_lazy("{name} is enabled."),
    "retire": gettext_lazy("{name} is retired. Its archive stays readable."),
}


@login_required
@require_POST
def act(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """One action. Retiring needs the name typed as well."""
    by = found.caller(request)
    row = found.application(by, org, name, access.OPERATE)
    back = reverse("panel:application", args=[org, name])
    action = request.POST.get("action", "")
    try:
        if action not in rules.ACTIONS:
            known = ", ".join(rules.ACTIONS)
            raise UnknownAction(f"There is no action {action[:40]!r}. There are: {known}.")
        if action == rules.RETIRE and request.POST.get("confirm", "").strip() != name:
            said = _("Retiring is final. Type the name {name} to confirm it; nothing was changed.")
            raise NotConfirmed(said.format(name=name))
        verbs.act(application=row, action=action, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    undo: dict[str, Any] = {"undo": {"url": request.path, "action": UNDO[action]}} if action in UNDO else {}
    return answers.done(request, str(SAID[action]).format(name=row.title or row.name), back=back, **undo)


@login_required
@require_POST
def take(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """The release that the upstream offers is copied here and made current."""
    by = found.caller(request)
    row = found.application(by, org, name, access.PUSH)
    back = reverse("panel:application", args=[org, name])
    number = request.POST.get("number", "")
    try:
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise UnknownAction(_("Say which release: its number."))
        changed = adoptions.take(application=row, number=int(number), by=by.actor, by_id=by.user_id, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    if changed.upcoming is not None:
        said = _("Release {number} takes over as soon as a process of it is ready.")
        return answers.done(request, said.format(number=changed.upcoming.number), back=back)
    own = changed.release.number if changed.release else ""
    return answers.done(request, _("It is release {number} here, and current.").format(number=own), back=back)


class UnknownAction(Refusal):
    """A form that was not ours."""

    code = "unknown_action"
    http = 400


class NotConfirmed(Refusal):
    """The name was not typed."""

    code = "not_confirmed"
    http = 422
