"""Actions: what a person does to an application by a button. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access
from ovd_saas.appcore import applications as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.domain import applications as rules

UNDO = {"suspend": "enable"}
SAID = {
    "wake": "{} wakes now.",
    "sleep": "{} falls asleep as soon as what runs has finished.",
    "suspend": "{} is suspended: nothing starts any more.",
    "enable": "{} is enabled.",
    "retire": "{} is retired. Its archive stays readable.",
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
            raise UnknownAction(f"There is no action {action!r}. There are: {', '.join(rules.ACTIONS)}.")
        if action == rules.RETIRE and request.POST.get("confirm", "").strip() != name:
            raise NotConfirmed(f"Retiring is final. Type the name {name} to confirm it; nothing was changed.")
        verbs.act(application=row, action=action, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    undo: dict[str, Any] = {"undo": {"url": request.path, "action": UNDO[action]}} if action in UNDO else {}
    return answers.done(request, SAID[action].format(row.title or row.name), back=back, **undo)


class UnknownAction(Refusal):
    """A form that was not ours."""

    code = "unknown_action"
    http = 400


class NotConfirmed(Refusal):
    """The name was not typed."""

    code = "not_confirmed"
    http = 422
