"""Bulk: one action for the chosen applications; first what it will do to each, then what became of each. Floor 3."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from ovd_saas.appcore import bulk
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found, looks
from ovd_saas.assets.fragments import show as shown

UNDO = {"suspend": "enable"}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """GET says what the action would do; POST does it."""
    by = found.caller(request)
    is_done = request.method == "POST"
    asked = request.POST if is_done else request.GET
    action = asked.get("action", "")
    ids = [int(text) for text in asked.getlist("id") if text.isascii() and text.isdecimal() and len(text) < 19]
    try:
        if is_done:
            steps = bulk.act(ids=ids, action=action, by=by, now=timezone.now())
        else:
            steps = bulk.foresee(ids=ids, action=action, by=by)
    except Refusal as refusal:
        return answers.refused(request, refusal, back=reverse("panel:applications"))
    changed = [step for step in steps if not step.refusal]
    context = {
        "here": "applications",
        "is_done": is_done,
        "action": action,
        "look": looks.ACTIONS[action],
        "effect": looks.ACTION_EFFECTS[action],
        "changed": changed,
        "left": [step for step in steps if step.refusal],
        "undo": UNDO.get(action) if is_done and changed else None,
    }
    return shown(request, "panel/bulk", context)
