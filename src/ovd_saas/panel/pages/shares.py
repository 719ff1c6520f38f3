"""Shares: links that show one execution to strangers; their page. Floor 3."""

from functools import wraps
from typing import Any, Protocol
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ovd_saas.appcore import access
from ovd_saas.appcore import shares as verbs
from ovd_saas.appcore.refusals import NotFound, Refusal
from ovd_saas.assets import answers, archive, found
from ovd_saas.panel.pages import files
from ovd_saas.store.records import Execution


def may(by: access.Caller, row: Execution) -> bool:
    """Whoever started it, and operators."""
    return row.caller == by.key or access.may(by, access.OPERATE, row.application.organisation.slug)


@login_required
@require_POST
def make(request: HttpRequest, id_: UUID) -> HttpResponse:
    by = found.caller(request)
    _demand(by, found.execution(by, id_))
    back = reverse("panel:execution", args=[id_])
    try:
        verbs.make(execution_id=id_, by_id=by.user_id, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("There is a new link. Whoever has it sees inputs and outputs."), back=back)


@login_required
@require_POST
def revoke(request: HttpRequest, id_: UUID, share: int) -> HttpResponse:
    by = found.caller(request)
    _demand(by, found.execution(by, id_))
    back = reverse("panel:execution", args=[id_])
    try:
        verbs.revoke(execution_id=id_, share_id=share, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("The link is revoked: it opens nothing any more."), back=back)


def _demand(by: access.Caller, row: Execution) -> None:
    if not may(by, row):
        found.demand(by, access.OPERATE, row.application.organisation.slug)


class View(Protocol):
    def __call__(self, request: HttpRequest, row: Execution, *args: Any, **named: Any) -> HttpResponseBase: ...


def _for_strangers(view: View) -> Any:
    """Finds the execution by the secret; what is answered is told to nobody else and kept nowhere, as the link may be
    revoked at any time."""

    @require_safe
    @wraps(view)
    def opened(request: HttpRequest, secret: str, *args: Any, **named: Any) -> HttpResponseBase:
        try:
            row = verbs.opened(secret)
        except NotFound as refusal:
            raise Http404(refusal.detail) from None
        answer = view(request, row, *args, **named)
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"
        answer["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        return answer

    return opened


def _show(request: HttpRequest, row: Execution, *_args: Any, **_named: Any) -> HttpResponse:
    """Its inputs and outputs; not its log, not who started it."""
    assert request.resolver_match is not None
    secret = request.resolver_match.kwargs["secret"]

    def address(side: str, name: str, kind: str, value: Any) -> str:
        if kind in ("series", "table"):
            return reverse("panel:shared_values", args=[secret, side, name])
        if kind in ("image", "file") and value.get("digest"):
            return reverse("panel:shared_file", args=[secret, value["digest"]])
        return ""

    context = {"execution": row, "application": row.application, **archive.values(row, address)}
    return render(request, "panel/shared/page.html", context)


def _file(request: HttpRequest, row: Execution, digest: str) -> HttpResponseBase:
    return files.of_execution(request, row, digest)


def _values(request: HttpRequest, row: Execution, side: str, name: str) -> HttpResponse:
    return files.values_of(request, row, side, name)


show, file, values = _for_strangers(_show), _for_strangers(_file), _for_strangers(_values)
