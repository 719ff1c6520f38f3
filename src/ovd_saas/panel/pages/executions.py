"""Executions: one of them, with what went in, what came out and how; cancel and take down. Floor 3."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import executions as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, archive, found, looks
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import executions as states
from ovd_saas.panel import provenance
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import events, executions
from ovd_saas.store.records import Application

PER_PAGE = 50


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab of an application shows."""
    before, wanted = request.GET.get("before") or None, request.GET.get("status", "")
    statuses = [wanted] if wanted in looks.EXECUTIONS else []
    return {
        "executions": executions.recent(row, before=before, limit=PER_PAGE, statuses=statuses),
        "statuses": [(name, look.word, name == wanted) for name, look in looks.EXECUTIONS.items()],
        "status": wanted if statuses else "",
        "is_first": before is None,
    }


TAB = Tab("executions", _("Executions"), "player-play", tab)


@login_required
@require_safe
def show(request: HttpRequest, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    row = found.execution(by, id_)
    org = row.application.organisation.slug
    is_final = row.status in states.FINAL
    context: dict[str, Any] = {
        "here": "applications",
        "execution": row,
        "application": row.application,
        "is_final": is_final,
        "position": executions.position(row),
        "log": row.log if is_final else events.log_so_far(id_),
        "cause": provenance.cause(row),
        "cause_details": provenance.cause_details(row),
        "hardware": provenance.hardware(row),
        "digests": provenance.digests(row),
        "may_cancel": not is_final and (row.caller == by.key or access.may(by, access.OPERATE, org)),
        "may_take_down": is_final and row.taken_down_at is None and access.may(by, access.OPERATE, org),
        **archive.values(row),
    }
    return shown(request, "panel/execution", context)


@login_required
@require_POST
def cancel(request: HttpRequest, id_: UUID) -> HttpResponse:
    """Whoever started it may cancel it, and operators."""
    by = found.caller(request)
    row = found.execution(by, id_)
    if row.caller != by.key:
        found.demand(by, access.OPERATE, row.application.organisation.slug)
    back = reverse("panel:execution", args=[id_])
    try:
        verbs.cancel(execution_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, "The execution is cancelled.", back=back)


@login_required
@require_POST
def take_down(request: HttpRequest, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    found.execution(by, id_, access.OPERATE)
    back = reverse("panel:execution", args=[id_])
    try:
        verbs.take_down(execution_id=id_, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, "Inputs, outputs and log are taken down; provenance stays.", back=back)
