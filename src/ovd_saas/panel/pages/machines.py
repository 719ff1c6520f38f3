"""Machines: the runners, and the processes that live on them. Floor 3."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ovd_saas.assets import found
from ovd_saas.assets.fragments import show as shown
from ovd_saas.store.queries import liveness


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    by = found.caller(request)
    runners = list(liveness.runners())
    processes = list(liveness.processes_on(runners, by))
    context = {
        "here": "machines",
        "runners": [(one, [each for each in processes if each.runner_id == one.pk]) for one in runners],
        "appcore_leads": liveness.appcore_leads(),
    }
    return shown(request, "panel/machines", context)
