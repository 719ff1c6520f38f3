"""Found: what an address names, if the person who asks may see it; else it is not there."""

from typing import cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from ovd_saas.appcore import access
from ovd_saas.store.queries import applications, executions
from ovd_saas.store.records import Application, Execution, User

_REFUSALS = {
    access.OPERATE: "An operator or owner of {} can do this; ask one of them, or ask an owner for that role.",
    access.PUSH: "An author or owner of {} can do this; ask one of them, or ask an owner for that role.",
    access.EXECUTE: "A member of {} can do this.",
    access.MANAGE: "An owner of {} can do this; ask one of them.",
}


def caller(request: HttpRequest) -> access.Caller:
    """Who asks; found once a request."""
    known: access.Caller | None = getattr(request, "ovd_caller", None)
    user = cast(User, request.user)
    if known is None or known.user_id != user.pk:
        known = access.of_user(user)
        request.ovd_caller = known  # type: ignore[attr-defined]
    return known


def application(by: access.Caller, org: str, name: str, verb: str = access.SEE) -> Application:
    """Raises Http404 when it is not theirs to see, PermissionDenied when their role does not allow the verb."""
    row = applications.by_address(org, name)
    if row is None or not access.may(by, access.SEE, org):
        raise Http404("No such application.")
    demand(by, verb, org)
    return row


def execution(by: access.Caller, id_: UUID, verb: str = access.SEE) -> Execution:
    """Likewise."""
    row = executions.by_id(id_)
    if row is None or not access.may(by, access.SEE, row.application.organisation.slug):
        raise Http404("No such execution.")
    demand(by, verb, row.application.organisation.slug)
    return row


def demand(by: access.Caller, verb: str, org: str) -> None:
    if not access.may(by, verb, org):
        raise PermissionDenied(_REFUSALS[verb].format(org))
