"""Settings: what an application may use and reach, how it wakes, and its processes. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from ovd_saas.appcore import access
from ovd_saas.appcore import applications as verbs
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.assets.words import markdown
from ovd_saas.domain import applications as rules
from ovd_saas.panel import stories
from ovd_saas.panel.pages import network
from ovd_saas.panel.tabs import Tab
from ovd_saas.store.queries import panel, releases
from ovd_saas.store.records import Application


def tab(request: HttpRequest, row: Application) -> dict[str, Any]:
    """What the tab shows."""
    release = row.release or releases.of(row).first()
    manifest = release.manifest if release else {}
    processes = panel.processes(row)
    return {
        "manifest": manifest,
        "description": markdown(release.description) if release else "",
        "limits": stories.limits(manifest),
        "waking": stories.waking(manifest),
        "processes": processes,
        "has_memory": any(one.runner.facts.get("processes") for one in processes),
        "why_not_retire": rules.refusal(rules.RETIRE, row.status, row.service, row.health),
        **network.card(row),
    }


@login_required
@require_POST
def describe(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Title and summary as they were written."""
    by = found.caller(request)
    row = found.application(by, org, name, access.PUSH)
    back = reverse("panel:application", args=[org, name]) + "?tab=settings"
    title, summary = (request.POST.get(part, "").replace("\0", "").strip() for part in ("title", "summary"))
    try:
        if not title:
            raise NoTitle(_("A title is needed; people look for it."))
        if len(title) > 200 or len(summary) > 500:
            raise NoTitle(_("A title has at most 200 characters, a summary at most 500."))
        verbs.describe(application=row, title=title, summary=summary, by=by.actor)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    return answers.done(request, _("Title and summary are changed."), back=back)


class NoTitle(Refusal):
    """It could not be found by people any more."""

    code = "invalid"
    http = 422


TAB = Tab("settings", gettext_lazy("Settings"), "adjustments", tab)
