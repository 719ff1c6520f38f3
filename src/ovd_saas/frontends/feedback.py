"""Feedback: a person says what the right answer of a run was; it becomes a sample to learn from. Floor 3."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access
from ovd_saas.appcore import feedback as verbs
from ovd_saas.appcore.batches import Sender
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found, questions


@login_required
@require_POST
def give(request: HttpRequest, org: str, name: str, id_: UUID) -> HttpResponse:
    """Anybody who may run it may say so."""
    by = found.caller(request)
    row = found.execution(by, id_, access.EXECUTE)
    if (row.application.organisation.slug, row.application.name) != (org, name):
        raise Http404("No such execution of this application.")
    back = reverse("frontends:run", args=[org, name, id_])
    asked = questions.of(row)
    if asked is None:
        raise Http404("Nothing is asked about this execution.")
    try:
        verbs.give(
            execution_id=id_,
            label=questions.label(asked.field, request.POST.get("label", "")),
            by=by.actor,
            sender=Sender(by.key, by.user_id),
            now=timezone.now(),
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("Thank you. What you said is a sample now."), back=back)
