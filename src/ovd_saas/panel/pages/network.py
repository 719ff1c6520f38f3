"""Network: which hosts an application asks for, and the form by which an operator allows them. Floor 3."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ovd import reach
from ovd_saas.appcore import access, network
from ovd_saas.appcore.refusals import Refusal
from ovd_saas.assets import answers, found
from ovd_saas.store.records import Application


def card(row: Application) -> dict[str, Any]:
    """What the card says: each host that is asked for, whether it is allowed, and what is allowed without being asked
    for."""
    asked, allowed = network.wished(row.release), reach.normal(row.network_allowed)
    return {
        "hosts": [(host, host in allowed) for host in asked],
        "more_hosts": [host for host in allowed if host not in asked],
        "reached": reach.granted(asked, allowed),
    }


@login_required
@require_POST
def change(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Allow exactly the hosts that are ticked or written."""
    by = found.caller(request)
    row = found.application(by, org, name, access.OPERATE)
    hosts = [*request.POST.getlist("host"), *request.POST.get("more", "").replace(",", " ").split()]
    back = reverse("panel:application", args=[org, name]) + "?tab=settings"
    try:
        changed = network.allow(application=row, hosts=hosts, by=by.actor, now=timezone.now())
    except Refusal as refusal:
        return answers.refused(request, refusal, back=back)
    reached = card(changed)["reached"]
    may = _("It may reach {hosts}, from its next start on.").format(hosts=", ".join(reached))
    said = may if reached else _("It reaches nothing.")
    return answers.done(request, said, back=back)
