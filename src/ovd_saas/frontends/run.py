"""A run: the permanent page of one execution for end users, while it waits, runs and ever after. Floor 3."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.appcore import access
from ovd_saas.assets import archive, found, questions
from ovd_saas.assets.fragments import show as shown
from ovd_saas.domain import executions as states
from ovd_saas.store.queries import events, executions


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    row = found.execution(by, id_)
    if (row.application.organisation.slug, row.application.name) != (org, name):
        raise Http404("No such execution of this application.")
    is_final = row.status in states.FINAL
    may_say = access.may(by, access.EXECUTE, org)
    context: dict[str, Any] = {
        "execution": row,
        "application": row.application,
        "is_final": is_final,
        "position": executions.position(row),
        "log": row.log if is_final else events.log_so_far(id_),
        "may_cancel": not is_final and (row.caller == by.key or access.may(by, access.OPERATE, org)),
        "question": questions.of(row) if may_say else None,
        "thanks": questions.thanks(row),
        **archive.values(row),
    }
    return shown(request, "frontends/run", context)
