"""Batches: one delivery of samples, page by page, with what became of it; take down. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from ovd import sniff
from ovd_saas.appcore import access
from ovd_saas.appcore import batches as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.assets.kinds import AUDIO, PICTURES, VIDEO
from ovd_saas.files import Missing
from ovd_saas.files import store as files
from ovd_saas.panel import sample_rows
from ovd_saas.panel.pages.files import send
from ovd_saas.store.queries import received
from ovd_saas.store.records import Application, Batch

PER_PAGE = 20


@login_required
@require_safe
def show(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """One batch: where it came from, what became of it, its samples."""
    by = found.caller(request)
    application = found.application(by, org, name)
    row = _batch(application, number)
    schema = (application.release.schema if application.release else {}).get("sample") or {}
    context = {
        "here": "applications",
        "application": application,
        "batch": row,
        "status": received.status(row),
        "samples": _samples(request, row, schema),
        "models": verbs.models_of(row),
        "may_take_down": row.taken_down_at is None and access.may(by, access.OPERATE, org),
        "content": f"/api/v1/applications/{org}/{name}/batches/{number}/content",
    }
    return shown(request, "panel/batch", context)


def _samples(request: HttpRequest, row: Batch, schema: dict[str, Any]) -> sample_rows.Samples | None:
    """Those that the address asks for: `at` is the byte where number `n` begins."""
    at, first = _count(request, "at", 0), _count(request, "n", 1)
    if at >= max(1, row.size) or first > max(1, row.samples):
        raise Http404("This batch has no such samples.")
    try:
        return sample_rows.read(row, schema, at=at, first=max(1, first) if at else 1, most=PER_PAGE)
    except sample_rows.NoSuchPlace:
        raise Http404("No sample of this batch begins there.") from None


def _count(request: HttpRequest, name: str, otherwise: int) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else otherwise


@login_required
@require_safe
def file(request: HttpRequest, org: str, name: str, number: int, digest: str) -> HttpResponseBase:
    """The bytes of a file that a sample of this batch names: as the picture that its first bytes prove, or as the sound
    or film that the address says. Whatever it says, nothing of it can run as a page of ours."""
    row = _batch(found.application(found.caller(request), org, name), number)
    if row.taken_down_at is not None or digest not in row.files:
        raise Http404("This batch has no such file.")
    try:
        with files.open(digest) as opened:
            proved = sniff.recognise(opened.read(sniff.HEAD))
    except Missing:
        raise Http404("The file is no longer stored.") from None
    wanted = request.GET.get("as", "")
    media_type = proved if proved in PICTURES else wanted if wanted in AUDIO | VIDEO else ""
    return send(
        request, digest, name=digest.removeprefix("sha256:")[:12], media_type=media_type or "application/octet-stream"
    )


@login_required
@require_POST
def take_down(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """Removes the bytes, keeps the row, and names the versions that learned from it."""
    by = found.caller(request)
    row = _batch(found.application(by, org, name, access.OPERATE), number)
    back = reverse("panel:batch", args=[org, name, number])
    try:
        models = verbs.take_down(batch=row, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    numbers = ", ".join(str(model.number) for model in models)
    said = (
        ngettext(
            "Batch {number} is taken down: its samples are gone, its row stays. "
            "Version {versions} learned from it and still knows it.",
            "Batch {number} is taken down: its samples are gone, its row stays. "
            "Versions {versions} learned from it and still know it.",
            len(models),
        )
        if models
        else _("Batch {number} is taken down: its samples are gone, its row stays.")
    )
    return answers.done(request, said.format(number=number, versions=numbers), back=back)


def _batch(application: Application, number: int) -> Batch:
    row = received.batch(application, number)
    if row is None:
        raise Http404("No such batch.")
    row.application = application
    return row
