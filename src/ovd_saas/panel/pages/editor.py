"""Editor: a manifest is checked as `ovd check` does, and saved as a new release. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from ovd.problems import Problem
from ovd_saas.appcore import access, release_archives
from ovd_saas.appcore import releases as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.panel import manifest_keys
from ovd_saas.panel.pages.releases import release
from ovd_saas.store.queries import releases
from ovd_saas.store.records import Release

LARGEST = 1 << 20  # characters, as in appcore


@login_required
@require_safe
@cache_control(private=True, max_age=3600)
def keys(request: HttpRequest) -> HttpResponse:
    """What the editor offers: the tables and keys of a manifest."""
    return JsonResponse(manifest_keys.table())


@login_required
@require_POST
def edit(request: HttpRequest, org: str, name: str, number: int) -> HttpResponse:
    """`action=check` says what is wrong, with lines; `action=save` makes a new release from this one."""
    by = found.caller(request)
    row = release(found.application(by, org, name, access.PUSH), number)
    text = request.POST.get("manifest", "")[:LARGEST].replace("\r\n", "\n")
    back = reverse("panel:release", args=[org, name, number]) + "?tab=manifest"
    try:
        if request.POST.get("action") != "save":
            return _told(request, row, text, release_archives.problems(row.digest, text))
        known = request.POST.get("newest", "")
        made = verbs.edited(
            release=row, manifest=text, newest=int(known) if known.isdecimal() and len(known) < 8 else None,
            by=by.actor, by_id=by.user_id, now=timezone.now(),
        )  # fmt: skip
    except verbs.BadManifest as bad:
        return _told(request, row, text, bad.problems, status=422)
    except verbs.Overtaken as overtaken:
        newest = releases.newest(row.application)
        if answers.wants_json(request):
            body = {"status": 409, "code": overtaken.code, "detail": overtaken.detail, "newest": newest}
            return JsonResponse(body, status=409, content_type="application/problem+json")
        return _page(request, row, text, [], 409, refusal=overtaken.detail)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    page = reverse("panel:release", args=[org, name, made.number]) + "?tab=log"
    said = _("Release {number} is being built from release {base} with the new manifest.")
    return answers.done(request, said.format(number=made.number, base=number), back=page, leave=True)


def _told(request: HttpRequest, row: Release, text: str, problems: list[Problem], status: int = 200) -> HttpResponse:
    if not answers.wants_json(request):
        return _page(request, row, text, problems, status)
    words = ngettext("{n} problem.", "{n} problems.", len(problems)).format(n=len(problems))
    told = [{"line": one.line, "key": one.key, "message": one.message, "cure": one.cure} for one in problems]
    detail = words if problems else _("No problems: ovd check would take this manifest.")
    return JsonResponse({"problems": told, "detail": detail}, status=status)


def _page(
    request: HttpRequest, row: Release, text: str, problems: list[Problem], status: int, refusal: str = ""
) -> HttpResponse:
    """For a browser without scripts: what was typed, and what is wrong with it."""
    context: dict[str, Any] = {
        "here": "applications",
        "application": row.application,
        "release": row,
        "text": text,
        "problems": problems,
        "refusal": refusal,
        "is_checked": True,
        "newest": releases.newest(row.application),
    }
    answer = shown(request, "panel/release/edit", context)
    answer.status_code = status
    return answer
