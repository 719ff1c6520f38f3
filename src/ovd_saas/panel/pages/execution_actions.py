"""What one does with an execution: cancel, run again, label, take down. Floor 3."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access, feedback, reruns
from ovd_saas.appcore import executions as verbs
from ovd_saas.appcore.batches import Sender
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found, questions


@login_required
@require_POST
def cancel(request: HttpRequest, id_: UUID) -> HttpResponse:
    """Whoever started it may cancel it, and operators."""
    by = found.caller(request)
    row = found.execution(by, id_)
    if row.caller != by.key:
        found.demand(by, access.OPERATE, row.application.organisation.slug)
    back = _page(id_)
    try:
        verbs.cancel(execution_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("The execution is cancelled."), back=back)


@login_required
@require_POST
def again(request: HttpRequest, id_: UUID) -> HttpResponse:
    """The same inputs once more; goes to the new one."""
    by = found.caller(request)
    found.execution(by, id_, access.EXECUTE)
    try:
        made = reruns.again(execution_id=id_, caller=by.key, by_id=by.user_id, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=_page(id_))
    return answers.done(request, _("It runs again, with the same inputs and seed."), back=_page(made.pk), leave=True)


@login_required
@require_POST
def say(request: HttpRequest, id_: UUID) -> HttpResponse:
    """What was right becomes a sample; goes back to where it was said."""
    by = found.caller(request)
    row = found.execution(by, id_, access.EXECUTE)
    back = _page(id_)
    if request.POST.get("from") == "data":
        address = [row.application.organisation.slug, row.application.name]
        back = reverse("panel:application", args=address) + "?tab=data"
    asked = questions.of(row)
    try:
        if asked is None:
            raise NotAsked("Nothing is asked about this execution: with a label it would make no sample.")
        batch, is_new = feedback.give(
            execution_id=id_,
            label=questions.label(asked.field, request.POST.get("label", "")),
            by=by.actor,
            sender=Sender(by.key, by.user_id),
            now=timezone.now(),
        )
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    said = (
        _("Thank you. It is a sample now, in batch {number}.") if is_new else _("That was said before, batch {number}.")
    )
    return answers.done(request, said.format(number=batch.number), back=back)


class NotAsked(Refusal):
    """A form that was not ours."""

    code = "not_asked"


@login_required
@require_POST
def take_down(request: HttpRequest, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    found.execution(by, id_, access.OPERATE)
    back = _page(id_)
    try:
        verbs.take_down(execution_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("Inputs, outputs and log are taken down; provenance stays."), back=back)


def _page(id_: UUID) -> str:
    return reverse("panel:execution", args=[id_])
