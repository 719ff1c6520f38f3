"""Pauses: a person has an application learn only when asked, and lets it learn by itself again. Floor 3."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access, triggers
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found


@login_required
@require_POST
def pause(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Undone by resuming."""
    by = found.caller(request)
    application = found.application(by, org, name, access.OPERATE)
    reason = request.POST.get("reason", "").strip()
    try:
        triggers.pause(application=application, by=by.actor, reason=reason, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back(org, name))
    said = _("It learns only when a person asks, until what makes it learn is resumed.")
    undo = {"url": reverse("panel:resume_triggers", args=[org, name]), "action": "resume"}
    return answers.done(request, said, back=_back(org, name), undo=undo)


@login_required
@require_POST
def resume(request: HttpRequest, org: str, name: str) -> HttpResponse:
    by = found.caller(request)
    application = found.application(by, org, name, access.OPERATE)
    try:
        run = triggers.resume(application=application, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_back(org, name))
    said = _("It learns by itself again.")
    if run is not None:
        said = _("It learns by itself again: what came meanwhile made learning run {number} due.").format(
            number=run.number
        )
    return answers.done(request, said, back=_back(org, name))


def _back(org: str, name: str) -> str:
    return reverse("panel:application", args=[org, name]) + "?tab=learning"
